"""The audit's sentences about checklists and their templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit import AuditEntry
from domain.checklist import GivenAnswer

ORDER = "work_order"
TEMPLATE = "checklist_template"


def template_recorded(code: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], reason: str) -> AuditEntry:
    """Somebody made a template, a new version of one, or took it out of use."""
    verb = "created" if before is None else "changed"
    return AuditEntry(f"checklist_template.{verb}", TEMPLATE, code, before, after, reason)


def checklist_made(order: str, made: Sequence[tuple[int, str, int]]) -> AuditEntry:
    """An order got its checklists: (id, template, version) of each."""
    after = {"checklists": [{"id": i, "template": code, "version": version} for i, code, version in made]}
    return AuditEntry("checklist.made", ORDER, order, None, after)


def item_answered(order: str, checklist_id: int, before: Any, answer: GivenAnswer, *, is_ok: bool) -> AuditEntry:
    """A technician answered a line of a checklist, for the first time or anew."""
    was = None if before is None else {"checklist": checklist_id, "item": answer.item, "value": before}
    after = {"checklist": checklist_id, "item": answer.item, "value": answer.value, "is_ok": is_ok}
    return AuditEntry("checklist.answered", ORDER, order, was, after, answer.remark)
