"""The stream of changes: who hears of which records, and that what is heard names nobody."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from api.change_news import RIGHTS, Audience, find_audience, write_change
from domain.change_position import Position, Snapshot
from domain.roles import Role, find_permissions
from store.change_log import Change

CHANGE = Change(1, 1, datetime(2026, 11, 22, 9, tzinfo=UTC), "work_order", "WO-2026-000001", 3, customer_id=7)
HERE = Position(Snapshot(2, 2))


def find_audience_of(role: Role, customer_id: int | None) -> Audience:
    return find_audience(find_permissions([role]), customer_id)


def test_an_event_says_which_record_changed_and_no_more() -> None:
    for entity in RIGHTS:
        lines = dict(
            line.split(": ", 1) for line in write_change(replace(CHANGE, entity=entity), HERE).decode().split("\n")[:3]
        )
        assert lines["event"] == entity
        assert orjson.loads(lines["data"]).keys() == {"id", "version", "at"}


@pytest.mark.parametrize("role", Role)
def test_each_role_hears_of_what_it_may_read(role: Role) -> None:
    own = 7 if role is Role.CUSTOMER else None
    for entity, right in RIGHTS.items():
        heard = find_audience_of(role, own).may_hear(replace(CHANGE, entity=entity))
        assert heard == (right in find_permissions([role])), entity
    assert not find_audience_of(role, own).may_hear(replace(CHANGE, entity="app_user"))


def test_a_customers_user_hears_of_its_own_records_alone() -> None:
    audience = find_audience_of(Role.CUSTOMER, 7)
    assert audience.may_hear(CHANGE)
    assert not audience.may_hear(replace(CHANGE, customer_id=8))
    assert not audience.may_hear(replace(CHANGE, customer_id=None))
