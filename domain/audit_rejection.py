"""The audit's sentences about messages that were refused."""

from collections.abc import Collection, Mapping
from typing import Any

from domain.audit import AuditEntry


def replay_requested(
    requested: int, filters: Mapping[str, Any], ids: Collection[int] | None, reason: str
) -> AuditEntry:
    """Refused messages are to be decoded once more; of named ones the first hundred are named here."""
    asked = dict(filters)
    if ids is not None:
        asked["ids"] = sorted(ids)[:100]
    entity_id = str(next(iter(ids))) if ids is not None and len(ids) == 1 else "*"
    after = {"requested": requested, "of": asked}
    return AuditEntry("rejection.replay_requested", "rejection", entity_id, None, after, reason)
