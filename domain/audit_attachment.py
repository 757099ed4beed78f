"""The audit's sentences about attachments of work orders."""

from domain.attachment import AttachmentKind, MediaType, Visibility
from domain.audit import AuditEntry

ENTITY = "work_order"


def file_attached(
    order: str,
    file_id: int,
    sha256: str,
    kind: AttachmentKind,
    media_type: MediaType,
    visibility: Visibility,
    size: int,
) -> AuditEntry:
    """Somebody attached a file; the audit keeps its hash."""
    after = {"attachment": file_id, "sha256": sha256, "kind": kind, "media_type": media_type}
    return AuditEntry("file.attached", ENTITY, order, None, after | {"visibility": visibility, "size": size})
