"""The audit chain on a real database: the programs cannot change it, and an owner who does is found out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from domain.audit import Actor, AuditEntry
from store.audit import AuditFilter, load_audit_events, record_audit, verify_chain
from store.pool import Connection, open_connection
from tests.support.databases import Database

ACTOR = Actor("ärztin", "tester", "test.run", 1, "req,1:2")


@pytest.fixture
def chain(any_database: Database) -> Iterator[Connection]:
    """Twenty events, with text that would mislead a careless hash."""
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        for n in range(10):
            with conn.transaction():
                record_audit(
                    conn,
                    ACTOR,
                    AuditEntry("thing.made", "thing", str(n), None, {"名": "泵", "b": n, "a": 1.50, "c": [None, True]}),
                    AuditEntry("thing.changed", "thing", str(n), {"x": None}, None, reason="5:,\n'\""),
                )
        yield conn


def _tamper(database: Database, statement: str) -> None:
    """What somebody with the owner's account could do."""
    with open_connection(database.owner_url, application="test", autocommit=True) as owner:
        owner.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        owner.execute(statement.encode())
        owner.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")


def test_an_untouched_chain_holds(chain: Connection) -> None:
    report = verify_chain(chain)
    assert report.holds
    assert (report.checked, report.head_seq) == (20, 20)
    events = load_audit_events(chain, AuditFilter(entity="thing", entity_id="3"))
    assert [e.action for e in events] == ["thing.changed", "thing.made"]
    assert events[0].prev_hash == events[1].hash


def test_an_empty_chain_holds(any_database: Database) -> None:
    with open_connection(any_database.url, application="test") as conn:
        assert verify_chain(conn).holds


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_event SET reason = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
def test_the_programs_account_cannot_change_it(chain: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        chain.execute(statement.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        chain.execute("UPDATE audit_head SET seq = 0")


def test_a_temporary_table_of_the_same_name_does_not_stand_in_for_the_head(chain: Connection) -> None:
    chain.execute("CREATE TEMPORARY TABLE audit_head (only_row boolean, seq bigint, hash text)")
    chain.execute("INSERT INTO audit_head VALUES (true, 90, repeat('f', 64))")
    record_audit(chain, ACTOR, AuditEntry("thing.made", "thing", "forged", None, None))
    chain.execute("DROP TABLE pg_temp.audit_head")
    report = verify_chain(chain)
    assert (report.holds, report.head_seq) == (True, 21)


def test_no_function_with_the_owners_rights_looks_into_temporary_tables_first(chain: Connection) -> None:
    paths = chain.execute("""
        SELECT p.proname, p.proconfig FROM pg_proc p
        WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """).fetchall()
    assert len(paths) >= 5
    assert [name for name, settings in paths if settings != ["search_path=pg_catalog, public, pg_temp"]] == []


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET reason = 'x'", "DELETE FROM audit_event"])
def test_not_even_the_owner_changes_it_by_accident(chain: Connection, any_database: Database, statement: str) -> None:
    with (
        open_connection(any_database.owner_url, application="test") as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"),
    ):
        owner.execute(statement.encode())


@pytest.mark.parametrize(
    ("statement", "kind", "seq"),
    [
        ("UPDATE audit_event SET actor = 'nobody' WHERE seq = 7", "changed", 7),
        ("UPDATE audit_event SET after = '{\"b\": 99}' WHERE seq = 7", "changed", 7),
        ("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE seq = 7", "changed", 7),
        ("UPDATE audit_event SET actor = role, role = actor WHERE seq = 7", "changed", 7),
        ("DELETE FROM audit_event WHERE seq = 7", "removed", 7),
        ("DELETE FROM audit_event WHERE seq = 1", "removed", 1),
        ("DELETE FROM audit_event WHERE seq > 15", "truncated", 15),
        ("DELETE FROM audit_event", "truncated", 0),
        ("UPDATE audit_event SET seq = CASE seq WHEN 7 THEN -8 ELSE -7 END WHERE seq IN (7, 8);"
         "UPDATE audit_event SET seq = -seq WHERE seq < 0", "reordered", 7),
        ("UPDATE audit_event SET seq = -(4 + (seq - 4 + 9) % 10) WHERE seq BETWEEN 4 AND 13;"
         "UPDATE audit_event SET seq = -seq WHERE seq < 0", "reordered", 13),
        # Somebody who swaps two events and hashes both anew breaks the link of the next one.
        ("UPDATE audit_event SET seq = CASE seq WHEN 7 THEN -8 ELSE -7 END WHERE seq IN (7, 8);"
         "UPDATE audit_event SET seq = -seq WHERE seq < 0;"
         "UPDATE audit_event e SET prev_hash = (SELECT hash FROM audit_event WHERE seq = 6) WHERE seq = 7;"
         "UPDATE audit_event e SET hash = encode(sha256(convert_to(audit_text(e), 'UTF8')), 'hex') WHERE seq = 7;"
         "UPDATE audit_event e SET prev_hash = (SELECT hash FROM audit_event WHERE seq = 7) WHERE seq = 8;"
         "UPDATE audit_event e SET hash = encode(sha256(convert_to(audit_text(e), 'UTF8')), 'hex') WHERE seq = 8",
         "broken_link", 9),
        # Nor can one be put in between: every number is taken, and the next link tells.
        ("INSERT INTO audit_event SELECT -seq, at, 'forged', role, permission, action, entity, entity_id, before,"
         " after, reason, request_id, prev_hash, hash FROM audit_event WHERE seq = 7;"
         "DELETE FROM audit_event WHERE seq = 7; UPDATE audit_event SET seq = 7 WHERE seq = -7", "changed", 7),
        # Somebody who hashes the changed row anew breaks the link of the next one.
        ("UPDATE audit_event SET actor = 'nobody' WHERE seq = 7;"
         "UPDATE audit_event e SET hash = encode(sha256(convert_to(audit_text(e), 'UTF8')), 'hex') WHERE seq = 7",
         "broken_link", 8),
        ("UPDATE audit_event SET actor = 'nobody' WHERE seq = 20;"
         "UPDATE audit_event e SET hash = encode(sha256(convert_to(audit_text(e), 'UTF8')), 'hex') WHERE seq = 20",
         "truncated", 20),
    ],
)  # fmt: skip
def test_tampering_is_found(chain: Connection, any_database: Database, statement: str, kind: str, seq: int) -> None:
    _tamper(any_database, statement)
    report = verify_chain(chain)
    assert not report.holds
    assert (kind, seq) in {(p.kind, p.seq) for p in report.problems}


def test_the_time_of_events_never_goes_back_whatever_the_clock_does(chain: Connection, any_database: Database) -> None:
    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        owner.execute("UPDATE audit_head SET at = at + interval '1 hour'")  # as if the clock had been ahead
    for name in ("late", "later"):
        record_audit(chain, ACTOR, AuditEntry("thing.made", "thing", name, None, None))
    (later, late, before, *_) = load_audit_events(chain)
    assert late.at - before.at == timedelta(hours=1)
    assert later.at == late.at
    assert verify_chain(chain).holds

    def find(since: datetime | None, until: datetime | None) -> list[int]:
        return [e.seq for e in load_audit_events(chain, AuditFilter(since=since, until=until), limit=50)]

    assert find(late.at, None) == [22, 21]
    assert find(None, late.at) == list(range(20, 0, -1))
    assert find(before.at, late.at)[0] == 20
    assert find(late.at + timedelta(seconds=1), None) == []
    assert find(None, late.at + timedelta(days=1))[:2] == [22, 21]
    assert find(None, late.at - timedelta(days=2)) == []
