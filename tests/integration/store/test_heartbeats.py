"""Signs of life: a killed instance is no news once its successor lives, but a program that is silent altogether is."""

from datetime import UTC, datetime

import psycopg

from store.heartbeats import load_heartbeats, record_heartbeat
from tests.support.databases import Database


def _make_older(conn: psycopg.Connection[tuple[object, ...]], instance: str, minutes: int) -> None:
    conn.execute(
        "UPDATE heartbeat SET at = at - make_interval(mins => %s) WHERE instance = %s",
        (minutes, instance),
    )


def test_a_killed_instance_is_forgotten_when_another_lives(database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        for instance in ("host:1", "host:2"):
            record_heartbeat(conn, "anomaly", instance, datetime.now(UTC), {})
        _make_older(conn, "host:1", 5)
        assert [beat.instance for beat in load_heartbeats(conn)] == ["host:1", "host:2"]
        _make_older(conn, "host:1", 6)
        assert [beat.instance for beat in load_heartbeats(conn)] == ["host:2"]


def test_a_program_that_is_silent_altogether_stays_in_sight(database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        record_heartbeat(conn, "anomaly", "host:1", datetime.now(UTC), {})
        record_heartbeat(conn, "ingest", "forewarn-ingest", datetime.now(UTC), {})
        _make_older(conn, "host:1", 60)
        silent = [beat for beat in load_heartbeats(conn) if beat.program == "anomaly"]
        assert [beat.age_s > 3_500 for beat in silent] == [True]
