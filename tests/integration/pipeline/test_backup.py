"""A dump taken while everything runs, restored into an empty database: scoring and triage go on where it was."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import sql

from forewarn.embedded_postgres import OWNER
from forewarn.postgres_home import find_account, find_binaries
from store.audit import verify_chain
from store.migrate import migrate
from tests.support.brokers import mosquitto_broker
from tests.support.databases import Database, DatabaseServer
from tests.support.fleet import SCENARIO_PROFILE, make_devices
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline, make_reading, telemetry_topic
from tests.support.programs import running_programs

SERIAL = "T-0000"
FAULT = [50.0] * 10 + [90.0] * 5


def _messages(start: datetime, levels: list[float]) -> list[tuple[str, bytes]]:
    return [
        (telemetry_topic(SERIAL), make_reading(start + timedelta(seconds=k), {"level": level}))
        for k, level in enumerate(levels)
    ]


def test_a_restored_dump_goes_on_where_it_was(postgres_server: DatabaseServer, tmp_path: Path) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=120)
    dump = tmp_path / "forewarn.dump"
    binaries = find_binaries(find_account())
    with (
        postgres_server.fresh_database() as database,
        mosquitto_broker() as mosquitto,
        running_pipeline(
            tmp_path / "before", database, mosquitto.port, make_devices(1), profile=SCENARIO_PROFILE
        ) as pipeline,
    ):
        pipeline.wait_until_ready()
        pipeline.publish(_messages(start, FAULT))
        pipeline.wait_until_drained(readings=len(FAULT))
        (order,) = pipeline.orders_of(SERIAL)
        subprocess.run(
            [binaries / "pg_dump", "--format=custom", f"--file={dump}", database.owner_url], check=True, timeout=180
        )

    with postgres_server.fresh_database() as restored, mosquitto_broker() as mosquitto:
        _empty(postgres_server, restored)
        subprocess.run(
            [binaries / "pg_restore", "--exit-on-error", f"--dbname={restored.owner_url}", dump],
            check=True,
            timeout=180,
        )
        assert migrate(restored.owner_url) == []
        (tmp_path / "after").mkdir()
        with running_programs(
            tmp_path / "after", database_url=restored.url, mqtt_url=f"mqtt://127.0.0.1:{mosquitto.port}"
        ) as programs:
            pipeline = Pipeline(restored.url, mosquitto.port, programs)
            pipeline.wait_until_ready()
            # The device sends again what it had sent, and the fault goes on, clears, and comes back.
            later = start + timedelta(seconds=len(FAULT))
            pipeline.publish(_messages(start, FAULT) + _messages(later, [90.0] * 5 + [50.0] * 20 + [90.0] * 5))
            pipeline.wait_until_drained(readings=len(FAULT) + 30)
            assert pipeline.count_readings() == len(FAULT) + 30
            assert pipeline.value("SELECT sum(duplicates) FROM ingest_ledger") == len(FAULT)
            assert [b["state"] for b in pipeline.breaches_of(SERIAL)] == ["CLEARED", "ACTIVE"]
            (same,) = pipeline.orders_of(SERIAL)
            assert (same["code"], same["breach_count"]) == (order["code"], 2)
        with psycopg.connect(restored.url) as conn:
            assert verify_chain(conn).holds


def _empty(server: DatabaseServer, database: Database) -> None:
    """The database as CREATE DATABASE makes it, without the schema of the tests' template."""
    name = sql.Identifier(database.name)
    with psycopg.connect(server.superuser_url, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
