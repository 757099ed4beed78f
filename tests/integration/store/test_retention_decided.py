"""How long readings are kept, decided by two people: it counts before the settings, is noted, and is measured."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.approval_request import ApprovalKind, ApprovalState, ApprovalWish
from domain.audit import Actor, Signature
from domain.errors import GuardRefusedError
from domain.retention import KeptClass, RetentionGuard
from domain.roles import Permission
from service_link.housekeeping import apply_retention
from service_link.settings import ServiceLinkSettings
from service_link.ticks import remove_what_is_old
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval, decide_approval
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.kept_amounts import load_kept_amounts, load_sensor_amounts
from store.pool import Connection, open_connection
from store.readings import ensure_partitions
from store.retention_classes import load_days, load_kept_classes
from store.users import record_user
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

NOW = datetime(2026, 9, 11, 6, tzinfo=UTC)
SETTINGS = ServiceLinkSettings("", reading_days=400)
STANDARD = KeptClass.READINGS_STANDARD


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    register(any_database.url, PROFILE, make_devices(2))
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        yield opened


def make_account(conn: Connection, name: str) -> int | None:
    return record_user(
        conn, name=name, full_name=name, roles=["admin"], password_hash=None, must_change_password=False
    )  # fmt: skip


def decide(conn: Connection, kept: KeptClass, days: int) -> str:
    """Asked by ada, granted by vera."""
    people = {}
    for name in ("ada", "vera"):
        row = conn.execute("SELECT id FROM app_user WHERE name = %s", (name,)).fetchone()
        made = row[0] if row else make_account(conn, name)
        assert isinstance(made, int)
        people[name] = made

    def act(name: str, permission: Permission) -> tuple[Actor, Signature]:
        return Actor(name, "admin", permission.value, people[name]), Signature(people[name], name, "yes")

    asker, signature = act("ada", Permission.RETENTION_WRITE)
    wish = ApprovalWish(ApprovalKind.RETENTION_CHANGE, kept, {"days": days}, "the disk is small")
    with conn.transaction():
        asked = ask_approval(conn, asker, wish, HANDLERS, signature, NOW)
    second, signature = act("vera", Permission.RETENTION_APPROVE)
    with conn.transaction():
        granted = decide_approval(
            conn, second, asked.code, ApprovalState.GRANTED, HANDLERS, reason="", signature=signature,
            expected_row_version=None, now=NOW + timedelta(minutes=1),
        )  # fmt: skip
    assert granted.outcome == {"days": days}
    return asked.code


def test_two_people_decide_and_the_next_round_goes_by_it(any_database: Database, conn: Connection) -> None:
    with pytest.raises(GuardRefusedError) as refused:  # nobody knows yet what counts
        decide(conn, STANDARD, 200)
    assert refused.value.guard == RetentionGuard.NOT_APPLIED_YET
    apply_retention(conn, NOW, SETTINGS, lambda: True)
    assert load_kept_classes(conn)[STANDARD].days == 400

    code = decide(conn, STANDARD, 100)
    row = load_kept_classes(conn)[STANDARD]
    assert (row.days, row.setting_days, row.applied_days) == (100, 400, 400)
    assert (row.decided_by, row.request, row.reason) == ("vera", code, "the disk is small")
    assert load_days(conn, STANDARD, 400) == 100

    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        owner.execute("UPDATE rollup_state SET days_to = %s", (NOW.replace(hour=0),))
    ensure_partitions(conn, [(NOW - timedelta(days=age)).date() for age in (99, 101, 300)])
    conn.execute(
        "INSERT INTO reading (series_id, observed_at, value, flags)"
        " SELECT min(s.id), %s - age * interval '1 day', 1, 0 FROM series s, unnest(%s::integer[]) AS age GROUP BY age",
        (NOW, [99, 101, 300]),
    )
    assert load_kept_amounts(conn).readings_from == (NOW - timedelta(days=300)).date()
    apply_retention(conn, NOW, SETTINGS, lambda: True)
    assert load_kept_amounts(conn).readings_from == (NOW - timedelta(days=99)).date()
    assert load_kept_classes(conn)[STANDARD].applied_days == 100
    assert remove_what_is_old(conn, NOW, 0) == 0

    (event,) = load_audit_events(conn, AuditFilter(entity="retention", entity_id=STANDARD), limit=5)
    assert (event.action, event.before, event.reason) == ("retention.changed", {"days": 400}, "the disk is small")
    assert event.after == {"days": 100, "approval_request": code}
    assert verify_chain(conn).holds


def test_classes_stay_in_order_and_what_is_changed_meanwhile_is_not_granted(conn: Connection) -> None:
    apply_retention(conn, NOW, replace(SETTINGS, short_reading_days=30), lambda: True)
    with pytest.raises(GuardRefusedError) as refused:
        decide(conn, KeptClass.READINGS_SHORT, 500)
    assert refused.value.guard == RetentionGuard.OUT_OF_ORDER
    with pytest.raises(GuardRefusedError) as refused:
        decide(conn, KeptClass.READINGS_SHORT, 30)
    assert refused.value.guard == RetentionGuard.UNCHANGED


def test_tables_are_measured_with_all_their_parts(conn: Connection) -> None:
    before = load_kept_amounts(conn)
    conn.execute("SELECT ensure_reading_partitions(ARRAY[%s::date])", (NOW.date(),))
    conn.execute(
        "INSERT INTO reading (series_id, observed_at, value, flags)"
        " SELECT min(s.id), %s + n * interval '1 second', n, 0 FROM series s, generate_series(1, 5000) AS n GROUP BY n",
        (NOW,),
    )
    after = load_kept_amounts(conn)
    assert after.readings_bytes > before.readings_bytes + 100_000
    assert min(after.minute_bytes, after.hour_bytes, after.day_bytes, after.record_bytes, after.outbox_bytes) >= 0
    amounts = load_sensor_amounts(conn)
    row = conn.execute("SELECT count(*) FROM series").fetchone()
    assert row == (sum(one.series for one in amounts.values()),)
