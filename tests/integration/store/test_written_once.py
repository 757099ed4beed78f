"""What is written once: the account of the programs finds no way to change it, nor to get rid of what keeps it so."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from domain.audit import Actor, Signature
from domain.audit_token import token_revoked
from domain.export import ExportWish
from store.audit import record_audit
from store.exports import ExportFile, record_export, take_export_code
from store.pool import Connection, open_connection
from store.signatures import load_signatures, record_signature
from tests.support.databases import Database

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TABLES = ("audit_event", "signature", "evidence", "export_log", "approval_request")
WAYS = (
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE TRIGGER USER",
    "DROP TRIGGER {trigger} ON {table}",
    "ALTER TABLE {table} ADD COLUMN mine text",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "DROP TABLE {table} CASCADE",
    "CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE RULE mine AS ON UPDATE TO {table} DO INSTEAD NOTHING",
)
ROUNDABOUT = (
    "SET session_replication_role = 'replica'",
    "SET ROLE forewarn_owner",
    "SET SESSION AUTHORIZATION forewarn_owner",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "DROP FUNCTION refuse_change() CASCADE",
    "ALTER FUNCTION chain_audit_event() SECURITY INVOKER",
    "UPDATE audit_head SET seq = 0",
    "DELETE FROM audit_head",
    "UPDATE pg_trigger SET tgenabled = 'D'",
    "ALTER ROLE CURRENT_USER SUPERUSER",
)
# A column that must stay, and the trigger that keeps it even from the owner.
KEPT = {
    "audit_event": ("reason", "audit_event_write_once"),
    "signature": ("meaning", "signature_write_once"),
    "evidence": ("body", "evidence_write_once"),
    "export_log": ("actor", "export_log_write_once"),
    "approval_request": ("payload", "approval_request_kept"),
}


@pytest.fixture
def app(database: Database) -> Iterator[Connection]:
    """The connection of a program; a signature, an audit event and an export stand there."""
    with open_connection(database.url, application="test", autocommit=True) as conn:
        row = conn.execute(
            "INSERT INTO app_user (name, full_name, password_hash, roles) VALUES ('anna', 'Anna', 'x', '{}')"
            " RETURNING id"
        ).fetchone()
        assert row is not None
        actor = Actor("anna", "auditor", "export.take", row[0], "test")
        with conn.transaction():
            record_signature(conn, "thing", 1, 1, {"b": 1}, Signature(row[0], "Anna", "Seen"), NOW)
            wish = ExportWish("devices", "csv", {}, ("serial",))
            code = take_export_code(conn, NOW)
            record_export(conn, actor, code, wish, ExportFile(0, 0, ""), customer_id=None, approval=None, now=NOW)
            record_audit(conn, actor, token_revoked("erp"))
        yield conn


@pytest.mark.parametrize("table", TABLES)
def test_no_way_for_the_programs_account(app: Connection, table: str) -> None:
    for way in WAYS:
        column, trigger = KEPT[table]
        names = {"table": table, "column": column, "trigger": trigger}
        statement = sql.SQL(way).format(**{name: sql.Identifier(value) for name, value in names.items()})
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


def test_no_roundabout_way(app: Connection) -> None:
    for statement in ROUNDABOUT:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET reason = 'x'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "UPDATE signature SET meaning = 'x'",
        "DELETE FROM signature",
        "TRUNCATE signature",
        "TRUNCATE evidence",
        "UPDATE export_log SET actor = 'x'",
        "DELETE FROM export_log",
        "TRUNCATE export_log",
    ],
)
def test_not_even_the_owner_changes_it_by_accident(app: Connection, database: Database, statement: str) -> None:
    with (
        open_connection(database.owner_url, application="test", autocommit=True) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="written once"),
    ):
        owner.execute(statement.encode())


def test_the_programs_role_reads_and_adds_and_has_no_other_right(app: Connection) -> None:
    rights = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    held = {
        (table, right)
        for table in TABLES
        for right in rights
        if app.execute("SELECT has_table_privilege('forewarn_app', %s, %s)", (table, right)).fetchone() == (True,)
    }
    assert held == {(table, right) for table in TABLES for right in ("SELECT", "INSERT")}


def test_a_signature_holds_as_long_as_the_record_says_the_same(app: Connection) -> None:
    (held,) = load_signatures(app, "thing", 1, {"b": 1})
    assert (held.valid, held.invalid_reason, held.printed_name, held.signed_at) == (True, "", "Anna", NOW)
    (changed,) = load_signatures(app, "thing", 1, {"b": 2, "c": None})
    assert (changed.valid, changed.invalid_reason, changed.changed_fields) == (False, "content_changed", ("b", "c"))
    (gone,) = load_signatures(app, "thing", 1, None)
    assert (gone.valid, gone.invalid_reason) == (False, "record_gone")
    (earlier,) = load_signatures(app, "thing", 1, {"b": 1}, 2)
    assert (earlier.valid, earlier.invalid_reason) == (False, "earlier_version")
    assert load_signatures(app, "thing", 2, {"b": 1}) == []


def test_what_was_signed_has_the_hash_that_was_signed(app: Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute(
            "INSERT INTO signature (entity, entity_id, entity_version, content_sha256, content, signer_id,"
            " printed_name, meaning) SELECT entity, 2, 1, content_sha256, '{}', signer_id, 'x', 'x' FROM signature"
        )
