"""What the audit's sentences hold of people is masked with the rest, where a file of them names nobody."""

from datetime import UTC, date, datetime

from domain.audit_capa import action_planned
from domain.audit_field_action import item_moved
from domain.audit_visit import visit_begun
from domain.capa import CapaState
from domain.capa_action import ActionKind, ActionState, CapaAction
from domain.masking import mask_json

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_no_sentence_names_somebody_to_who_may_see_no_names() -> None:
    action = CapaAction(
        1, 1, "CAPA-1", CapaState.ACTION_PLAN, 1, 1, next(iter(ActionKind)), ActionState.OPEN, "change the seal", 4711,
        "quentin", date(2026, 12, 1), "", None, None, None, "", None, None, None, "", NOW, NOW,
    )  # fmt: skip
    said = [
        visit_begun("WO-1", 1, "tom", NOW).after,
        action_planned("CAPA-1", None, action).after,
        item_moved("FA-1", "SN-1", {"remediated_by_id": None}, {"remediated_by_id": 4712}).after,
    ]
    told = str([mask_json(part, ()) for part in said])
    assert [name for name in ("tom", "quentin", "4711", "4712") if name in told] == []
