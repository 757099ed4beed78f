"""Changes that take two people, on a real database: what is granted is what was asked, once, by another person."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.approval_request import (
    RULES,
    ApprovalGuard,
    ApprovalKind,
    ApprovalRequest,
    ApprovalState,
    ApprovalSubject,
    ApprovalWish,
)
from domain.audit import Actor, Signature
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from service_link.ticks import tick
from store.approval_requests import (
    ApprovalHandler,
    ask_approval,
    decide_approval,
    load_approval_request,
    load_approval_requests,
    load_request_signatures,
)
from store.audit import load_audit_events, verify_chain
from store.pool import Connection, open_connection
from tests.support.databases import Database

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
KIND = ApprovalKind.KEY_FIELD_CHANGE
CODE = "C-1"


def load_customer(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    row = conn.execute("SELECT name, region FROM customer WHERE code = %s FOR UPDATE", (wish.entity_id,)).fetchone()
    if row is None:
        raise NotFoundError(wish.entity_id)
    return ApprovalSubject({"name": row[0], "seen_at": NOW, "share": 1e-7}, row[1])


def rename(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    conn.execute("UPDATE customer SET name = %s WHERE code = %s", (request.payload["name"], request.entity_id))
    if request.payload["name"] == "unlucky":
        raise GuardRefusedError("bad_luck", "it cannot be")
    return {"renamed_at": now}


HANDLERS = {KIND: ApprovalHandler(lambda _, __: {}, load_customer, rename)}


@dataclass
class Desk:
    conn: Connection
    people: dict[str, int]

    def actor(self, name: str, permission: str) -> Actor:
        return Actor(name, "data_steward", permission, self.people[name], "test")

    def sign(self, name: str) -> Signature:
        return Signature(self.people[name], name.title(), "I have looked at it")

    def ask(self, name: str = "anna", to: str = "New", *, at: datetime = NOW) -> ApprovalRequest:
        wish = ApprovalWish(KIND, CODE, {"name": to, "weight": 5.0}, "misspelt")
        actor = self.actor(name, RULES[KIND].ask)
        with self.conn.transaction():
            return ask_approval(self.conn, actor, wish, HANDLERS, self.sign(name), at)

    def decide(self, who: str, code: str, to: ApprovalState, *, at: datetime = NOW, reason: str = "right") -> ApprovalRequest:  # fmt: skip  # noqa: E501
        right = RULES[KIND].ask if to is ApprovalState.WITHDRAWN else RULES[KIND].decide
        with self.conn.transaction():
            return decide_approval(
                self.conn, self.actor(who, right), code, to, HANDLERS, reason=reason, signature=self.sign(who),
                expected_row_version=None, now=at,
            )  # fmt: skip

    def find_guard(self, who: str, code: str, to: ApprovalState, *, at: datetime = NOW) -> str:
        with pytest.raises(GuardRefusedError) as refused:
            self.decide(who, code, to, at=at)
        return refused.value.guard

    def find_name(self) -> str:
        row = self.conn.execute("SELECT name FROM customer WHERE code = %s", (CODE,)).fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        people = {}
        for name in ("anna", "ben"):
            row = conn.execute(
                "INSERT INTO app_user (name, full_name, password_hash, roles) VALUES (%s, %s, 'x', '{data_steward}')"
                " RETURNING id",
                (name, name.title()),
            ).fetchone()
            assert row is not None
            people[name] = int(row[0])
        conn.execute("INSERT INTO customer (code, name, type, region) VALUES (%s, 'Old', 'HOSPITAL', 'eu')", (CODE,))
        yield Desk(conn, people)


def test_a_granted_change_is_the_one_that_was_asked_and_both_signed_it(desk: Desk) -> None:
    asked = desk.ask()
    assert (asked.code, asked.state, asked.region, asked.entity) == ("AR-2026-000001", "ASKED", "eu", "device")
    assert desk.find_name() == "Old"
    granted = desk.decide("ben", asked.code, ApprovalState.GRANTED)
    assert (granted.state, granted.decided_by, granted.row_version) == ("GRANTED", "ben", 2)
    assert granted.outcome == {"renamed_at": "2026-11-22T09:00:00+00:00"}
    assert desk.find_name() == "New"
    signatures = load_request_signatures(desk.conn, granted)
    assert [(s.signer, s.valid, s.invalid_reason) for s in signatures] == [("anna", True, ""), ("ben", True, "")]
    assert signatures[0].content_sha256 == asked.content_sha256
    actions = [(e.action, e.actor, e.permission) for e in load_audit_events(desk.conn)]
    assert actions == [
        ("approval_request.granted", "ben", RULES[KIND].decide.value),
        ("approval_request.asked", "anna", RULES[KIND].ask.value),
    ]
    assert verify_chain(desk.conn).holds
    assert desk.find_guard("ben", asked.code, ApprovalState.REFUSED) == ApprovalGuard.NO_SUCH_TRANSITION


def test_who_asked_does_not_grant_it_whatever_a_program_believes(desk: Desk) -> None:
    asked = desk.ask()
    assert desk.find_guard("anna", asked.code, ApprovalState.GRANTED) == ApprovalGuard.SECOND_PERSON
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.conn.execute(
            "UPDATE approval_request SET state = 'GRANTED', decided_by_id = asked_by_id, decided_by = asked_by"
        )
    assert desk.find_name() == "Old"


def test_a_record_that_changed_since_is_not_changed(desk: Desk) -> None:
    asked = desk.ask()
    desk.conn.execute("UPDATE customer SET name = 'Other'")
    assert desk.find_guard("ben", asked.code, ApprovalState.GRANTED) == ApprovalGuard.SUBJECT_CHANGED
    assert desk.decide("ben", asked.code, ApprovalState.REFUSED).state == "REFUSED"
    assert desk.find_name() == "Other"


def test_a_change_that_fails_leaves_the_question_open_and_nothing_done(desk: Desk) -> None:
    asked = desk.ask(to="unlucky")
    assert desk.find_guard("ben", asked.code, ApprovalState.GRANTED) == "bad_luck"
    found = load_approval_request(desk.conn, asked.code)
    assert found == asked
    assert desk.find_name() == "Old"
    assert len(load_request_signatures(desk.conn, asked)) == 1


def test_one_open_question_about_a_record(desk: Desk) -> None:
    first = desk.ask()
    with pytest.raises(GuardRefusedError) as refused:
        desk.ask("ben", "Another")
    assert refused.value.guard == ApprovalGuard.ASKED_ALREADY
    assert desk.find_guard("ben", first.code, ApprovalState.WITHDRAWN) == ApprovalGuard.NOT_ASKER
    assert desk.decide("anna", first.code, ApprovalState.WITHDRAWN).decided_by == "anna"
    assert desk.ask("ben", "Another").state == "ASKED"
    codes = [r.code for r in load_approval_requests(desk.conn, kinds=[KIND], states=[ApprovalState.ASKED])]
    assert codes == ["AR-2026-000003"]  # a number that was refused is not used again


def test_a_question_that_nobody_decides_expires(desk: Desk) -> None:
    asked = desk.ask()
    late = NOW + RULES[KIND].stands_for
    assert desk.find_guard("ben", asked.code, ApprovalState.GRANTED, at=late) == ApprovalGuard.EXPIRED
    tick(desk.conn, late - timedelta(seconds=1))
    assert [r.state for r in load_approval_requests(desk.conn, kinds=[KIND])] == ["ASKED"]
    tick(desk.conn, late)
    tick(desk.conn, late)
    assert [r.state for r in load_approval_requests(desk.conn, kinds=[KIND])] == ["EXPIRED"]
    events = load_audit_events(desk.conn)
    assert (events[0].action, events[0].actor) == ("approval_request.expired", "service_link")
    assert len(events) == 2


def test_a_stale_view_and_an_unknown_code(desk: Desk) -> None:
    asked = desk.ask()
    actor = desk.actor("ben", RULES[KIND].decide)
    for code, version, error in ((asked.code, 7, RowVersionConflictError), ("AR-1", 1, NotFoundError)):
        with pytest.raises(error):
            decide_approval(
                desk.conn, actor, code, ApprovalState.GRANTED, HANDLERS, reason="", signature=desk.sign("ben"),
                expected_row_version=version, now=NOW,
            )  # fmt: skip


def test_of_several_who_decide_at_once_one_does_and_it_is_done_once(desk: Desk, database: Database) -> None:
    asked = desk.ask()

    def decide(number: int) -> str:
        to = ApprovalState.GRANTED if number % 2 else ApprovalState.REFUSED
        with open_connection(database.url, application="test", autocommit=True) as conn:
            try:
                return Desk(conn, desk.people).decide("ben", asked.code, to).state
            except GuardRefusedError as refused:
                return refused.guard

    with ThreadPoolExecutor(6) as pool:
        became = list(pool.map(decide, range(6)))
    found = load_approval_request(desk.conn, asked.code)
    assert found is not None
    assert sorted(became) == sorted([found.state, *[ApprovalGuard.NO_SUCH_TRANSITION] * 5])
    assert desk.find_name() == ("New" if found.state == "GRANTED" else "Old")
    assert len(load_audit_events(desk.conn)) == 2
    assert len(load_request_signatures(desk.conn, found)) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approval_request SET payload = '{}'",
        "UPDATE approval_request SET asked_by_id = 2",
        "UPDATE approval_request SET content_sha256 = ''",
        "DELETE FROM approval_request",
        "TRUNCATE approval_request",
    ],
)
def test_what_was_asked_stays_as_it_was_asked(desk: Desk, statement: str) -> None:
    desk.ask()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        desk.conn.execute(statement.encode())


def test_what_was_decided_stays_decided(desk: Desk) -> None:
    asked = desk.ask()
    desk.decide("ben", asked.code, ApprovalState.REFUSED)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"):
        desk.conn.execute("UPDATE approval_request SET state = 'ASKED', decided_by_id = NULL")
