"""Real PostgreSQL servers for the tests, and fresh databases cloned from a migrated template."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from forewarn.child_process import end
from forewarn.embedded_postgres import APP, DATABASE, OWNER, STOP_SIGNAL, SUPERUSER
from store.migrate import migrate
from tests.support.clusters import copy_migrated_cluster, start_quick_server

TIMESCALE_VARIABLE = "FOREWARN_TEST_TIMESCALE_URL"
COMMUNITY_VARIABLE = "FOREWARN_TEST_COMMUNITY_URL"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test: `url` is what a program uses, `owner_url` may change the schema."""

    flavour: str  # "postgresql", "timescale" (its Apache edition) or "community"
    name: str
    url: str
    owner_url: str


class Administrator:
    """The superuser's connection that makes and drops databases: one for all, as to sign in costs a fifth of that."""

    def __init__(self, superuser_url: str) -> None:
        self._url = superuser_url
        self._conn: psycopg.Connection | None = None

    def execute(self, statement: sql.Composed) -> None:
        """Runs a statement outside of any transaction, on a new connection where the server cut the last one."""
        if self._conn is None or self._conn.closed or not self._is_alive(self._conn):
            self.close()
            self._conn = psycopg.connect(self._url, autocommit=True)
        self._conn.execute(statement)

    def close(self) -> None:
        """No connection is open on return."""
        if self._conn is not None:
            self._conn.close()
        self._conn = None

    def _is_alive(self, conn: psycopg.Connection) -> bool:
        try:
            conn.execute("")
        except psycopg.OperationalError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """A running server with the roles of an installation and a migrated template database."""

    flavour: str
    superuser_url: str
    owner_url: str
    app_url: str
    template: str
    administrator: Administrator = field(repr=False, compare=False)

    @contextmanager
    def fresh_database(self) -> Iterator[Database]:
        """A migrated, otherwise empty database; dropped at the end, whoever may still be connected.

        Copied file by file: hundreds of small tables written through the log would take ten times as long.
        """
        name = f"test_{os.getpid()}_{next(_numbers)}"
        identifier = sql.Identifier(name)
        self.administrator.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER {}").format(
                identifier, sql.Identifier(self.template), sql.Identifier(OWNER)
            )
        )
        try:
            yield Database(self.flavour, name, _at(self.app_url, name), _at(self.owner_url, name))
        finally:
            self.administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))

    def with_template(self, filled: Database) -> "DatabaseServer":
        """The same server with that database, as it is now, for its template; nobody connects to it any more."""
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            _close(conn, filled.name, self.superuser_url)
        return replace(self, template=filled.name)


@contextmanager
def embedded_server(folder: Path) -> Iterator[DatabaseServer]:
    """The product's own embedded PostgreSQL, in `folder`."""
    cluster = copy_migrated_cluster(folder)
    superuser_url = cluster.url(SUPERUSER, "postgres")
    process = start_quick_server(cluster, folder / "postgres.log")
    administrator = Administrator(superuser_url)
    try:
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            for role, password in cluster.passwords.items():
                _set_quick_password(conn, role, password)
            _close(conn, DATABASE, superuser_url)
        yield DatabaseServer("postgresql", superuser_url, cluster.url(OWNER), cluster.url(APP), DATABASE, administrator)
    finally:
        administrator.close()
        end(process, with_signal=STOP_SIGNAL, timeout_s=60)


@contextmanager
def timescale_server(superuser_url: str, flavour: str = "timescale") -> Iterator[DatabaseServer]:
    """A server with TimescaleDB that someone else started and that the tests may fill with databases."""
    password = "only-for-tests"
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        # Of several processes at once, one makes the roles and the others find them.
        conn.execute("SELECT pg_advisory_lock(hashtext('roles of the tests'))")
        for role, options in ((OWNER, "LOGIN CREATEROLE"), ("forewarn_app", "NOLOGIN"), (APP, "LOGIN")):
            if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                conn.execute(f"CREATE ROLE {role} {options}")
            _set_quick_password(conn, role, password)
        conn.execute(f"GRANT forewarn_app TO {APP}")
        conn.execute(f"GRANT forewarn_app TO {OWNER} WITH ADMIN OPTION")
    owner_url = _signed_in_as(superuser_url, OWNER, password)
    server = _with_template(flavour, superuser_url, owner_url, _signed_in_as(superuser_url, APP, password))
    try:
        yield server
    finally:
        server.administrator.close()
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(server.template)))


def _set_quick_password(conn: psycopg.Connection, role: str, password: str) -> None:
    """Each connection derives its key from the password: 4,096 rounds by default, half of what a connection takes."""
    conn.execute("SET scram_iterations = 1")
    conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))


def _with_template(flavour: str, superuser_url: str, owner_url: str, app_url: str) -> DatabaseServer:
    template = f"template_{os.getpid()}_{flavour}"
    identifier = sql.Identifier(template)
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, sql.Identifier(OWNER)))
        migrate(_at(owner_url, template))
        _close(conn, template, superuser_url)
    return DatabaseServer(flavour, superuser_url, owner_url, app_url, template, Administrator(superuser_url))


def _close(conn: psycopg.Connection, database: str, superuser_url: str) -> None:
    """TimescaleDB's background workers would stay connected, and a template must have no connection.

    The last one has PostgreSQL keep what it knows of the system catalogues, or the first connection to every copy of
    the template would find that out anew: as much work as two connections.
    """
    with psycopg.connect(_at(superuser_url, database)):
        pass
    conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(database)))
    conn.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (database,))


def _at(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def _signed_in_as(url: str, role: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{place}"))
