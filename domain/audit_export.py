"""The audit's sentences about files that were taken out."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry

ENTITY = "export"


def export_taken(
    code: str, *, name: str, filter_: Mapping[str, Any], columns: list[str], rows: int, sha256: str,
    approval: str | None, reason: str,
) -> AuditEntry:  # fmt: skip
    """Somebody took a list out as a file."""
    after = {"list": name, "filter": filter_, "columns": columns, "rows": rows, "sha256": sha256, "approval": approval}
    return AuditEntry("export.taken", ENTITY, code, None, after, reason)


def export_granted(code: str, name: str, payload: Mapping[str, Any], usable_until: Any) -> AuditEntry:
    """A second person granted an export that names people."""
    after = {"payload": payload, "request": code, "usable_until": usable_until}
    return AuditEntry("export.granted", ENTITY, name, None, after)
