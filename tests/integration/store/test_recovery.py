"""Restoring and upgrading as docs/operations.md says: nothing is lost, and what comes again counts once."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import sql

import store.migrate
from domain.clock import to_micros
from forewarn.child_process import end, spawn
from forewarn.embedded_postgres import APP, OWNER, STOP_SIGNAL, SUPERUSER, Cluster, start_server
from forewarn.postgres_home import find_account, find_binaries
from store.audit import verify_chain
from store.devices import DeviceFilters, count_devices, load_devices, load_latest
from store.installation_health import load_flow
from store.migrate import load_flavour, load_migrations, migrate, verify_migrated
from store.pool import Connection, open_connection
from store.reading_queries import load_readings
from store.readings import ReadingColumns, ensure_partitions, find_days, record_possible_repeats
from store.rollup_refresh import refresh_rollups
from store.rollups import load_counts
from tests.support.clusters import copy_cluster, temporary_folder
from tests.support.databases import Database, DatabaseServer
from tests.support.waiting import wait_until

BEGIN = datetime(2026, 9, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 9, 5, tzinfo=UTC)
DAY = timedelta(days=1)


def make_readings(first: int, last: int) -> ReadingColumns:
    """The readings of series 1 with these numbers, a minute apart."""
    numbers = np.arange(first, last)
    return ReadingColumns(
        np.ones(len(numbers), np.int32),
        to_micros(BEGIN) + numbers.astype(np.int64) * 60_000_000,
        numbers.astype(np.float64),
        np.zeros(len(numbers), np.int16),
    )


def record(conn: Connection, readings: ReadingColumns) -> int:
    """How many of them were new."""
    ensure_partitions(conn, find_days(readings.observed_us))
    with conn.transaction():
        return int(record_possible_repeats(conn, readings).is_new.sum())


def count_readings(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM reading").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with temporary_folder("forewarn-recovery-") as folder:
        yield copy_cluster(folder)


def test_a_base_backup_and_the_archive_give_back_any_moment(cluster: Cluster) -> None:
    archive = _make_folder(cluster, "archive")
    server = start_server(
        cluster,
        cluster.home.parent / "first.log",
        archive_mode="on",
        archive_command=f"cp %p {archive}/%f",
        fsync="off",
    )
    try:
        migrate(cluster.url(OWNER))
        with open_connection(cluster.url(APP), application="test", autocommit=True) as conn:
            assert record(conn, make_readings(0, 1000)) == 1000
            backup = _make_folder(cluster, "restored") / "data"
            options = ["-X", "none", "-c", "fast", "--no-sync", "-d", cluster.url(SUPERUSER, "postgres")]
            backing_up = spawn(
                [cluster.binaries / "pg_basebackup", "-D", backup, *options],
                log=cluster.home.parent / "backup.log",
                env={"PATH": os.defpath},
                account=cluster.account,
            )
            assert backing_up.wait(60) == 0, (cluster.home.parent / "backup.log").read_text("utf-8")
            assert record(conn, make_readings(1000, 2000)) == 1000
            with psycopg.connect(cluster.url(SUPERUSER, "postgres"), autocommit=True) as superuser:
                superuser.execute("SELECT pg_create_restore_point('before_the_accident')")
            with open_connection(cluster.url(OWNER), application="test", autocommit=True) as owner:
                owner.execute("DELETE FROM reading")  # the accident
            with psycopg.connect(cluster.url(SUPERUSER, "postgres"), autocommit=True) as superuser:
                (segment,) = superuser.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
            wait_until(lambda: (archive / segment).exists(), what=f"{segment} to be archived")
    finally:
        end(server, with_signal=STOP_SIGNAL, timeout_s=60)

    restored = replace(cluster, home=backup.parent)
    (backup / "recovery.signal").touch()
    server = start_server(
        restored,
        cluster.home.parent / "second.log",
        restore_command=f"cp {archive}/%f %p",
        recovery_target_name="before_the_accident",
        recovery_target_action="promote",
        fsync="off",
    )
    try:
        with open_connection(restored.url(APP), application="test", autocommit=True) as conn:
            verify_migrated(conn)
            wait_until(lambda: not _is_recovering(conn), what="the end of recovery")
            assert count_readings(conn) == 2000
            # Devices send everything again, and go on.
            assert record(conn, make_readings(0, 2500)) == 500
            assert count_readings(conn) == 2500
            refresh_rollups(conn, NOW, lambda: True)
            assert sum(count.n for count in load_counts(conn, BEGIN.date(), NOW.date())) == 2500
    finally:
        end(server, with_signal=STOP_SIGNAL, timeout_s=60)


def _make_folder(cluster: Cluster, name: str) -> Path:
    folder = cluster.home / name
    folder.mkdir(mode=0o700)
    if cluster.account is not None:
        os.chown(folder, cluster.account.uid, cluster.account.gid)
    return folder


def _is_recovering(conn: Connection) -> bool:
    return conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def test_a_dump_of_any_flavour_is_restored_whole(
    any_database: Database, database_servers: dict[str, DatabaseServer], tmp_path: Path
) -> None:
    server = database_servers[any_database.flavour]
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        assert record(conn, make_readings(0, 3000)) == 3000
        _refresh(any_database, conn)
        _compress(any_database, conn)
        counts = load_counts(conn, BEGIN.date(), NOW.date())
    dump = tmp_path / "forewarn.dump"
    binaries = find_binaries(find_account())
    source = psycopg.conninfo.make_conninfo(server.superuser_url, dbname=any_database.name)
    # PostgreSQL's own notes of TimescaleDB's circular foreign keys go to stderr.
    subprocess.run(
        [binaries / "pg_dump", "--format=custom", f"--file={dump}", source],
        check=True,
        timeout=120,
        capture_output=True,
    )
    with server.fresh_database() as restored:
        _empty(server, restored)
        target = psycopg.conninfo.make_conninfo(server.superuser_url, dbname=restored.name)
        is_timescale = any_database.flavour != "postgresql"
        with psycopg.connect(target, autocommit=True) as superuser:
            if is_timescale:
                superuser.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
                superuser.execute("SELECT timescaledb_pre_restore()")
            subprocess.run(
                [binaries / "pg_restore", "--exit-on-error", f"--dbname={target}", dump], check=True, timeout=120
            )
            if is_timescale:
                superuser.execute("SELECT timescaledb_post_restore()")
        assert migrate(restored.owner_url) == []
        with open_connection(restored.url, application="test", autocommit=True) as conn:
            assert count_readings(conn) == 3000
            assert load_counts(conn, BEGIN.date(), NOW.date()) == counts
            assert record(conn, make_readings(0, 3100)) == 100
            _refresh(restored, conn)
            assert sum(count.n for count in load_counts(conn, BEGIN.date(), NOW.date())) == 3100


def test_an_older_schema_with_data_is_brought_up_to_now(
    any_database: Database, database_servers: dict[str, DatabaseServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = database_servers[any_database.flavour]
    _empty(server, any_database)
    everything = load_migrations()
    with monkeypatch.context() as patched:
        patched.setattr(store.migrate, "load_migrations", lambda: [m for m in everything if m.number <= 6])
        assert len(migrate(any_database.owner_url)) == 6
    with psycopg.connect(any_database.owner_url, autocommit=True) as owner:
        # Written by the programs of before: by their SQL, not by today's.
        owner.execute(
            """
            INSERT INTO device_model (key, manufacturer, name, udi_di, safety_critical, current_version)
                VALUES ('OLD-1', 'M', '{"en": "old", "zh": "old"}', '', false, 1);
            INSERT INTO device (device_model_id, serial, shard) VALUES (1, 'OLD-0001', 0);
            INSERT INTO series (device_id, sensor) VALUES (1, 'level'), (1, 'flow');
            SELECT ensure_reading_partitions(ARRAY['2026-09-01', '2026-09-02', '2026-09-03']::date[]);
            INSERT INTO reading (series_id, observed_at, value)
                SELECT 1, '2026-09-01 12:00Z'::timestamptz + n * interval '1 minute', n
                FROM generate_series(0, 2999) AS n;
            INSERT INTO ingest_ledger (day, writer, messages, values_received, stored)
                VALUES ('2026-09-01', 'w', 3000, 3000, 3000);
            """
        )
    assert migrate(any_database.owner_url) == [m.name for m in everything if m.number > 6]
    assert migrate(any_database.owner_url) == []
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        verify_migrated(conn)
        assert count_readings(conn) == 3000
        for _ in range(2):  # before the roll-ups of the old readings are there, and after
            found = load_readings(conn, 1, BEGIN, BEGIN + 2 * DAY, 100)
            assert sum(bucket.count for bucket in found.buckets) == 2880
            assert [count.n for count in load_counts(conn, BEGIN.date(), NOW.date())] == [720, 1440, 840]
            _refresh(any_database, conn)
        assert record(conn, make_readings(0, 3001)) == 1
        assert [latest.value for latest in load_latest(conn, 1)] == [None, 3000.0]
        assert count_devices(conn, DeviceFilters()) == len(load_devices(conn, DeviceFilters())) == 1
        assert load_flow(conn).devices == 1
        assert verify_chain(conn).holds


def _refresh(database: Database, conn: Connection) -> None:
    if load_flavour(conn) == "timescaledb-community":
        with open_connection(database.owner_url, application="test", autocommit=True) as owner:
            owner.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (NOW,))
    else:
        refresh_rollups(conn, NOW, lambda: True)


def _compress(database: Database, conn: Connection) -> None:
    if load_flavour(conn) == "timescaledb-community":
        with open_connection(database.owner_url, application="test", autocommit=True) as owner:
            owner.execute("SELECT compress_chunk(c, true) FROM show_chunks('reading') AS c")


def _empty(server: DatabaseServer, database: Database) -> None:
    """The database as CREATE DATABASE makes it, without the schema of the tests' template."""
    name = sql.Identifier(database.name)
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
