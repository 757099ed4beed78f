"""The audit's sentences about how long things are kept."""

from domain.audit import AuditEntry

ENTITY = "retention"


def retention_changed(kept: str, before_days: int, after_days: int, request: str, reason: str) -> AuditEntry:
    """Two people decided how long a class is kept; 0: for ever."""
    after = {"days": after_days, "approval_request": request}
    return AuditEntry("retention.changed", ENTITY, kept, {"days": before_days}, after, reason)
