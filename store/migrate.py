"""Forward-only migrations: numbered SQL files, each applied once, in order, with its checksum, in its transaction."""

import hashlib
from dataclasses import dataclass
from importlib import resources

from domain.errors import DatabaseNotMigratedError, MigrationChangedError
from store.pool import Connection, open_connection

# Any number will do, as long as every migrating process takes the same one.
MIGRATION_LOCK = 4_660_113


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of store/migrations."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the text as applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """All bundled migrations, in order."""
    folder = resources.files("store").joinpath("migrations")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(int(f.name[:4]), f.name, f.read_text("utf-8")) for f in files]


CREATE_SCHEMA_MIGRATION = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
LOAD_APPLIED = "SELECT number, sha256 FROM schema_migration ORDER BY number"
RECORD_APPLIED = "INSERT INTO schema_migration (number, name, sha256) VALUES (%s, %s, %s)"


def migrate(owner_url: str) -> list[str]:
    """Brings the database to this version and returns the names of the migrations applied now.

    `owner_url` is an account that may create tables and the role `forewarn_app`. Concurrent callers wait for
    one another.

    Raises
    ------
    MigrationChangedError
        A migration that this database has seen differs from the bundled one.
    """
    applied_now: list[str] = []
    with open_connection(owner_url, application="migrate", autocommit=True) as conn:
        conn.execute("SET statement_timeout = 0")
        conn.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        with conn.transaction():
            conn.execute(CREATE_SCHEMA_MIGRATION)
        applied: dict[int, str] = dict(conn.execute(LOAD_APPLIED).fetchall())
        for migration in load_migrations():
            known = applied.get(migration.number)
            if known == migration.sha256:
                continue
            if known is not None:
                raise MigrationChangedError(migration.name)
            with conn.transaction():
                _apply(conn, migration)
            applied_now.append(migration.name)
    return applied_now


def _apply(conn: Connection, migration: Migration) -> None:
    conn.execute(migration.sql)
    if migration.number == 1:
        # What differs between the flavours is decided by this row, before the first table that differs is made.
        conn.execute("INSERT INTO installation (flavour) VALUES (%s)", (_detect_flavour(conn),))
    conn.execute(RECORD_APPLIED, (migration.number, migration.name, migration.sha256))


def _detect_flavour(conn: Connection) -> str:
    """`postgresql`, or the edition of TimescaleDB that this server preloads (its extension is then created)."""
    # Defined by TimescaleDB's loader, and readable by every account, as shared_preload_libraries is not.
    preloaded = conn.execute("SELECT current_setting('timescaledb.max_background_workers', true)").fetchone()
    if preloaded is None or not preloaded[0]:
        return "postgresql"
    conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    licence = conn.execute("SELECT current_setting('timescaledb.license')").fetchone()
    return "timescaledb-community" if licence is not None and licence[0] == "timescale" else "timescaledb-apache"


LOAD_FLAVOUR = "SELECT flavour FROM installation"
LOAD_NEWEST = "SELECT max(number) FROM schema_migration"


def load_flavour(conn: Connection) -> str:
    """Which store this is: `postgresql`, `timescaledb-apache` or `timescaledb-community`."""
    row = conn.execute(LOAD_FLAVOUR).fetchone()
    if row is None:
        raise DatabaseNotMigratedError()
    return str(row[0])


def verify_migrated(conn: Connection) -> None:
    """Returns when the database has every bundled migration.

    Raises
    ------
    DatabaseNotMigratedError
        It has none, or not all of them.
    """
    exists = conn.execute("SELECT to_regclass('public.schema_migration') IS NOT NULL").fetchone()
    if exists is None or not exists[0]:
        raise DatabaseNotMigratedError()
    newest = conn.execute(LOAD_NEWEST).fetchone()
    wanted = load_migrations()[-1].number
    if newest is None or newest[0] is None or newest[0] < wanted:
        raise DatabaseNotMigratedError(f"(at {newest[0] if newest else None}, this version needs {wanted})")
