"""Migrations: replaying them gives the snapshot, twice is once, and an edited one is refused."""

import psycopg
import pytest

from domain.errors import DatabaseNotMigratedError, MigrationChangedError
from store.migrate import load_flavour, load_migrations, migrate, verify_migrated
from store.pool import open_connection
from tests.integration.store.data_dictionary import DICTIONARY, describe_schema
from tests.integration.store.schema_snapshot import SNAPSHOT, dump_schema
from tests.support.databases import Database


def test_the_migrations_give_the_snapshot(database: Database) -> None:
    assert dump_schema(database) == SNAPSHOT.read_text("utf-8"), "run `make schema` and read the difference"


def test_the_data_dictionary_is_that_of_the_schema_and_describes_every_table(database: Database) -> None:
    described = describe_schema(database)
    assert described == DICTIONARY.read_text("utf-8"), "run `make schema`"
    tables = described.split("\n## ")[1:]
    assert [t.splitlines()[0] for t in tables if not t.splitlines()[2]] == []


def test_migrating_again_changes_nothing_and_every_file_is_applied(any_database: Database) -> None:
    assert migrate(any_database.owner_url) == []
    with open_connection(any_database.url, application="test") as conn:
        verify_migrated(conn)
        flavour = load_flavour(conn)
        applied = conn.execute("SELECT name FROM schema_migration ORDER BY number").fetchall()
    wanted = {"postgresql": "postgresql", "timescale": "timescaledb", "community": "timescaledb-community"}
    assert flavour.startswith(wanted[any_database.flavour])
    assert [name for (name,) in applied] == [m.name for m in load_migrations()]


def test_an_edited_migration_is_refused(database: Database) -> None:
    with open_connection(database.owner_url, application="test") as conn:
        conn.execute("UPDATE schema_migration SET sha256 = repeat('0', 64) WHERE number = 2")
    with pytest.raises(MigrationChangedError, match=r"0002_readings\.sql"):
        migrate(database.owner_url)


def test_a_database_without_the_newest_migration_is_refused(database: Database) -> None:
    with open_connection(database.owner_url, application="test") as conn:
        conn.execute("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
    with open_connection(database.url, application="test") as conn, pytest.raises(DatabaseNotMigratedError):
        verify_migrated(conn)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_event",
        "UPDATE audit_event SET actor = 'nobody'",
        "UPDATE audit_head SET seq = 0",
        "DELETE FROM reading",
        "UPDATE reading SET value = 0",
        "UPDATE evidence SET body = '{}'",
        "DELETE FROM signature",
        "DELETE FROM work_order",
        "DELETE FROM ticket_decision",
        "DELETE FROM rejection",
        "UPDATE device_model_profile SET body = '{}'",
        "CREATE TABLE mine (x integer)",
        "DROP TABLE reading",
        "UPDATE schema_migration SET sha256 = ''",
    ],
)
def test_the_programs_account_cannot_change_what_is_written_once(any_database: Database, statement: str) -> None:
    with (
        open_connection(any_database.url, application="test") as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement)


def test_days_are_made_ahead_and_dropped_by_the_programs_account(any_database: Database) -> None:
    with open_connection(any_database.url, application="test") as conn:
        conn.execute("SELECT ensure_reading_partitions(ARRAY['2026-11-20', '2026-11-21']::date[])")
        conn.execute("SELECT ensure_reading_partitions(ARRAY['2026-11-21', '2026-11-22']::date[])")
        for day in (20, 21, 22):
            conn.execute(
                "INSERT INTO reading (series_id, observed_at, value) VALUES (1, %s, 1)", (f"2026-11-{day}T23:59:59Z",)
            )
        dropped = conn.execute("SELECT drop_readings_before('2026-11-22')").fetchone()
        left = conn.execute("SELECT array_agg(extract(day FROM observed_at)::int) FROM reading").fetchone()
    assert dropped == (2,)
    assert left == ([22],)
