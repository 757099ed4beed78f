"""Who put which faults right: kept from look to look, and never other than what the database says at that moment."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from domain.work_order import Outcome, WorkOrderState
from store import mended_orders
from store.mended_orders import load_mended
from store.pool import Connection, open_connection
from store.work_order_pages import load_order_cards
from tests.support.databases import Database
from tests.support.staff import Staff, open_staff

CODE = "WO-2026-000001"


@pytest.fixture
def staff(database: Database) -> Iterator[Staff]:
    with open_staff(database.url) as found:
        found.world.decide("SN-1")
        yield found


@pytest.fixture
def reader(database: Database) -> Iterator[Connection]:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        yield conn


def find_key(staff: Staff) -> tuple[str, str]:
    order = staff.load(CODE)
    cards = load_order_cards(staff.world.conn, order.id)
    assert cards is not None
    assert cards.model is not None
    return cards.model, order.fault_group


def look(conn: Connection, staff: Staff, *keys: tuple[str, str]) -> Mapping[tuple[int, str, str], tuple[int, int]]:
    return load_mended(conn, keys or [find_key(staff)], staff.world.now)


def test_what_is_closed_counts_at_once_and_no_longer_when_it_is_opened_again(staff: Staff, reader: Connection) -> None:
    mended = {(staff.people["tina"], *find_key(staff)): (1, 1)}
    assert look(reader, staff) == {}
    staff.work_through(CODE)
    assert look(reader, staff) == mended == look(reader, staff)
    staff.move("mia", CODE, WorkOrderState.TRIAGED, reason="leaks again")
    assert look(reader, staff) == {}
    staff.move("mia", CODE, WorkOrderState.ASSIGNED, assignee_id=staff.people["tina"])
    staff.move("tina", CODE, WorkOrderState.IN_PROGRESS)
    staff.finish(CODE, Outcome.CONFIRMED)
    assert look(reader, staff) == dict.fromkeys(mended, (0, 1))


def test_what_commits_after_a_later_change_was_seen_is_not_missed(staff: Staff, reader: Connection) -> None:
    staff.start(CODE)
    with staff.world.conn.transaction():
        staff.finish(CODE)
        staff.world.conn.execute("SELECT pg_current_xact_id()")
        # Somebody else's transaction begins later and is over before.
        reader.execute("INSERT INTO customer (code, name, type) VALUES ('C-LATER', 'Later', 'CLINIC')")
        assert look(reader, staff) == {} == look(reader, staff)
    assert look(reader, staff) == {(staff.people["tina"], *find_key(staff)): (1, 1)}


def test_what_is_rolled_back_was_never_so(staff: Staff) -> None:
    conn = staff.world.conn
    staff.start(CODE)
    assert look(conn, staff) == {}
    with conn.transaction(force_rollback=True):
        staff.finish(CODE)
        assert look(conn, staff) == {(staff.people["tina"], *find_key(staff)): (1, 1)}
    assert look(conn, staff) == {}


def test_nothing_is_counted_twice_before_an_order_that_counts_has_changed(
    staff: Staff, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Any] = []
    count = mended_orders._count

    def watch(conn: Connection, keys: list[tuple[str, str]], *more: Any) -> mended_orders.Figures:
        counted.extend(keys)
        return count(conn, keys, *more)

    monkeypatch.setattr(mended_orders, "_count", watch)
    key = find_key(staff)
    other = (key[0], "another")
    look(reader, staff)
    staff.start(CODE)  # changes an order that never was closed
    look(reader, staff, key, other)
    look(reader, staff, other, key)
    assert counted == [key, other]
    staff.finish(CODE)
    look(reader, staff, key, other)
    assert counted == [key, other, *sorted((key, other))]
    load_mended(reader, [key], staff.world.now + mended_orders.KEPT)
    assert len(counted) == 5
