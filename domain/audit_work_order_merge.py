"""The audit's sentences about two work orders that turned out to be one."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry

ENTITY = "work_order"


def order_took_over(
    code: str, merged: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str
) -> AuditEntry:
    """An order took over another one."""
    return AuditEntry("workorder.took_over", ENTITY, code, before, {"merged": merged, **after}, reason)


def order_merged(
    code: str, survivor: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str
) -> AuditEntry:
    """An order went up in another one, and is cancelled as such."""
    return AuditEntry("workorder.merged", ENTITY, code, before, {"merged_into": survivor, **after}, reason)


def child_moved(code: str, was: str, parent: str, reason: str) -> AuditEntry:
    """An order has another parent, as its own went up in that."""
    return AuditEntry("workorder.adopted", ENTITY, code, {"parent": was}, {"parent": parent}, reason)


def order_joined_by_person(
    code: str, before: Mapping[str, Any], after: Mapping[str, Any], description: str
) -> AuditEntry:
    """A person reported a fault for which an order is open already: it was added to that one."""
    return AuditEntry("workorder.joined", ENTITY, code, before, after, description)


def order_reopened_by_report(
    code: str, before: Mapping[str, Any], after: Mapping[str, Any], description: str
) -> AuditEntry:
    """A person reported a fault whose order was closed only lately: it was opened again."""
    return AuditEntry("workorder.reopened", ENTITY, code, before, after, description)
