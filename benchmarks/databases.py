"""A database for one benchmark: on an embedded PostgreSQL, or on a server that somebody else runs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from forewarn.child_process import end
from forewarn.embedded_postgres import APP, OWNER, STOP_SIGNAL, prepare_cluster, start_server
from store.migrate import load_flavour, migrate


@dataclass(frozen=True, slots=True)
class Urls:
    """How the owner of the schema and the programs reach it."""

    owner: str
    app: str


# A benchmark refreshes its roll-ups when its readings are there; TimescaleDB's scheduler would begin before.
STOP_REFRESHER = "SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE proc_name = 'refresh_rollups'"
FORGET_ITS_WORK = """
    UPDATE rollup_state SET announced_to = d, minutes_to = d, hours_to = d, days_to = d
    FROM (VALUES ('1970-01-01 00:00:00+00'::timestamptz)) AS begin (d)
"""


def _stop_scheduler(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as conn:
        if load_flavour(conn) == "timescaledb-community":
            conn.execute(STOP_REFRESHER)
            conn.execute(FORGET_ITS_WORK)


@contextmanager
def bench_database(superuser_url: str | None) -> Iterator[Urls]:
    """A migrated, empty database, gone afterwards; on the server of that URL, or on an embedded one with fsync."""
    if superuser_url is None:
        with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
            Path(folder).chmod(0o711)  # as root, PostgreSQL runs under another account
            cluster = prepare_cluster(Path(folder))
            server = start_server(cluster, Path(folder) / "postgres.log")
            try:
                migrate(cluster.url(OWNER))
                yield Urls(cluster.url(OWNER), cluster.url(APP))
            finally:
                end(server, with_signal=STOP_SIGNAL, timeout_s=60)
        return
    name = f"forewarn_bench_{os.getpid()}"
    app, password = f"{name}_app", token_hex(16)
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    owner_url = urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))
    try:
        migrate(owner_url)
        _stop_scheduler(owner_url)
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE forewarn_app PASSWORD {}").format(
                    sql.Identifier(app), sql.Literal(password)
                )
            )
        parts = urlsplit(owner_url)
        place = parts.netloc.rpartition("@")[2]
        yield Urls(owner_url, urlunsplit(parts._replace(netloc=f"{app}:{password}@{place}")))
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(app)))
