"""What came of a call or a letter moves a device only where its life-cycle has that step."""

from datetime import UTC, datetime

import pytest

from domain.field_action_item import ITEM_TRANSITIONS, FieldActionItem, ItemState
from store.field_action_communications import ContactResult, find_contact_changes

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_I = ItemState


def make_item(state: ItemState, attempts: int = 0) -> FieldActionItem:
    return FieldActionItem(
        id=1,
        field_action_id=1,
        device_id=1,
        serial="SN-1",
        wave=1,
        state=state,
        state_since=NOW,
        attempts=attempts,
        install_failures=0,
        notified_at=None,
        acknowledged_at=None,
        scheduled_for=None,
        remediated_at=None,
        remediated_by_id=None,
        verified_at=None,
        evidence="",
        reason="",
        work_order_id=None,
        work_order_code=None,
        work_order_state=None,
        customer_id=1,
        region="",
        is_simulated=False,
        row_version=1,
    )


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("result", ContactResult)
@pytest.mark.parametrize("attempts", [0, 2])
def test_no_result_takes_a_step_that_there_is_not(state: ItemState, result: ContactResult, attempts: int) -> None:
    for change in find_contact_changes([make_item(state, attempts)], result, 3, NOW):
        after = change.after
        assert after.state is state or ITEM_TRANSITIONS[state, after.state]
        assert after.row_version == 2
        assert (after.state is _I.UNREACHABLE) <= (after.attempts >= 3 or state is _I.UNREACHABLE)


@pytest.mark.parametrize(
    ("state", "result", "attempts", "expected"),
    [
        (_I.IDENTIFIED, ContactResult.SENT, 0, (_I.NOTIFIED, 0)),
        (_I.IDENTIFIED, ContactResult.NO_ANSWER, 1, (_I.IDENTIFIED, 2)),
        (_I.NOTIFIED, ContactResult.UNDELIVERABLE, 2, (_I.UNREACHABLE, 3)),
        (_I.NOTIFIED, ContactResult.REACHED, 2, (_I.NOTIFIED, 0)),
        (_I.NOTIFIED, ContactResult.ACKNOWLEDGED, 2, (_I.ACKNOWLEDGED, 0)),
        (_I.SCHEDULED, ContactResult.NO_ANSWER, 2, (_I.SCHEDULED, 3)),
        (_I.ACKNOWLEDGED, ContactResult.ACKNOWLEDGED, 2, (_I.ACKNOWLEDGED, 0)),
        (_I.UNREACHABLE, ContactResult.REACHED, 3, (_I.NOTIFIED, 0)),
        (_I.UNREACHABLE, ContactResult.ACKNOWLEDGED, 3, (_I.ACKNOWLEDGED, 0)),
    ],
)
def test_each_result(state: ItemState, result: ContactResult, attempts: int, expected: tuple[ItemState, int]) -> None:
    (change,) = find_contact_changes([make_item(state, attempts)], result, 3, NOW)
    assert (change.after.state, change.after.attempts) == expected


@pytest.mark.parametrize("state", [_I.ACKNOWLEDGED, _I.SCHEDULED, _I.REMEDIATED, _I.VERIFIED, _I.SCRAPPED])
@pytest.mark.parametrize("result", [ContactResult.SENT, ContactResult.NO_ANSWER, ContactResult.ACKNOWLEDGED])
def test_who_is_further_on_is_not_moved(state: ItemState, result: ContactResult) -> None:
    changes = find_contact_changes([make_item(state, 3)], result, 3, NOW)
    assert [change.after.state for change in changes] in ([], [state])
    assert not changes or state.is_open, "of a device that is done nothing is counted"
