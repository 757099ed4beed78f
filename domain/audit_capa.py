"""The audit's sentences about CAPA notices."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit import AuditEntry

ENTITY = "capa"


def capa_proposed(code: str, data: Mapping[str, Any], work_order_ids: Sequence[int]) -> AuditEntry:
    """The machine proposed a CAPA."""
    return AuditEntry("capa.proposed", ENTITY, code, None, {**data, "work_order_ids": list(work_order_ids)})


def capa_joined(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """Further cases, or what a release changed, were added to a live CAPA of the same scope."""
    return AuditEntry("capa.joined", ENTITY, code, before, after)


def capa_decided(code: str, before: str, after: str, reason: str) -> AuditEntry:
    """A person opened or rejected a proposal."""
    action = "capa.opened" if after == "OPEN" else "capa.rejected"
    return AuditEntry(action, ENTITY, code, {"state": before}, {"state": after}, reason)


def member_excluded(code: str, work_order: str, reason: str) -> AuditEntry:
    """A case stopped counting: it was a false alarm, or cancelled."""
    return AuditEntry("capa.member_excluded", ENTITY, code, None, {"work_order": work_order, "reason": reason})


def member_included(code: str, work_order: str) -> AuditEntry:
    """A case counts again."""
    return AuditEntry("capa.member_included", ENTITY, code, None, {"work_order": work_order, "reason": None})
