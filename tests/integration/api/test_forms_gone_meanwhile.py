"""A form that is not on its page any more when it is refused: the page says why, and what was typed stands there."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.api.test_order_pages import ORDER, Desk, desk, read
from tests.integration.api.test_refused_rules import SIGNED, find_list, find_version, step
from tests.support.http_api import PASSWORD
from tests.support.marked_fields import NOTICE, find_landing

__all__ = ["desk"]  # a fixture

GONE = "This form is not open any more. What you wrote in it was not saved; it stands here."


@pytest.mark.parametrize("is_stale", [True, False])
def test_a_merge_into_an_order_that_was_called_off(desk: Desk, is_stale: bool) -> None:
    dirk = desk.people["dirk"].writing
    code = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"serial": "T-0002"}).json()["code"]
    before = find_version(desk, "dirk", code)
    step(desk, "mona", "CANCELLED", 303, code=code, reason="not needed")
    version = before if is_stale else find_version(desk, "dirk", code)
    form = {"row_version": version, "order": desk.code, "reason": "one <leak>"}
    answer = desk.send("dirk", f"/work-orders/{code}/merges", **form)
    assert (answer.status_code, find_landing(answer.text)) == (412 if is_stale else 409, NOTICE)
    assert GONE in read(answer)
    assert (desk.code in read(answer), "one <leak>" in read(answer)) == (True, True)
    assert 'name="order"' not in answer.text


@pytest.mark.parametrize("place", ["/work-orders", "/my"])
def test_a_part_that_another_withdrew(desk: Desk, place: str) -> None:
    made = desk.api.post(
        f"/work-orders/{desk.code}/parts",
        headers=desk.people["dirk"].writing,
        json={"state": "REQUESTED", "item": "MOT-1", "quantity": "2"},
    )
    assert made.status_code == 201, made.text
    part = str(made.json()["id"])
    first = {"to": "WITHDRAWN", "part_id": part}
    assert desk.send("dirk", "parts", **first, reason="wrong one").status_code == 303
    again = desk.send("tom", f"{place}/{desk.code}/parts", **first, reason="it is the pump")
    assert (again.status_code, find_landing(again.text)) == (409, NOTICE)
    assert (GONE in read(again), "it is the pump" in read(again)) == (True, True)
    used = desk.send("tom", f"{place}/{desk.code}/parts", **(SIGNED | {"part_id": part, "lot": "L-77"}))
    assert (used.status_code, find_landing(used.text)) == (409, NOTICE)
    assert (GONE in read(used), "L-77" in read(used), PASSWORD in used.text) == (True, True, False)


def test_records_of_an_order_that_is_somebody_elses_now(desk: Desk) -> None:
    lines = {"checklist_id": find_list(desk, desk.code), "value.leak": "false", "remark.leak": "drips at the seal"}
    at = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    for address, form, typed in (
        ("answers", lines, "No leak No · drips at the seal"),
        ("arrivals", {"arrived_at": at, "note": "by the back door"}, "by the back door"),
        ("parts", SIGNED | {"lot": "L-77"}, "L-77"),
        ("parts", {"to": "REQUESTED", "item": "MOT-1", "description": "the small one"}, "the small one"),
    ):
        answer = desk.send("tina", address, **form)
        assert (answer.status_code, find_landing(answer.text)) == (409, NOTICE), address
        assert (GONE in read(answer), typed in read(answer)) == (True, True), address


def test_a_visit_that_began_or_ended_meanwhile(desk: Desk) -> None:
    assert desk.send("tom", "arrivals").status_code == 303
    twice = desk.send("tom", "arrivals", note="by the back door")
    assert (twice.status_code, GONE in read(twice)) == (409, True)
    assert "by the back door" in read(twice)
    visit = desk.api.get(f"/work-orders/{desk.code}/visits", headers=desk.people["tom"].reading).json()["items"][0]
    form = {"visit_id": str(visit["id"]), "outcome": "COMPLETED"}
    assert desk.send("tom", "departures", **form).status_code == 303
    gone = desk.send("tom", "departures", **form, note="left the key")
    assert (gone.status_code, find_landing(gone.text)) == (409, NOTICE)
    assert (GONE in read(gone), "left the key" in read(gone)) == (True, True)


def test_a_form_that_is_there_is_not_told_twice(desk: Desk) -> None:
    version = find_version(desk, "dirk", desk.code)
    refused = desk.send("dirk", "merges", row_version=version, order=desk.code, reason="same")
    assert (refused.status_code, GONE in read(refused)) == (409, False)
    bare = desk.send("tom", "parts", **(SIGNED | {"quantity": "0"}))
    assert (bare.status_code, GONE in read(bare)) == (422, False)
