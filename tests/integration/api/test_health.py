"""Health and metrics: for strangers, for insiders, and when things are not well."""

from datetime import UTC, datetime

import psycopg
import pytest

from domain.roles import Role
from store.heartbeats import record_heartbeat
from store.pool import open_connection
from tests.support.databases import Database, DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api


def beat(url: str, program: str, *, seconds_ago: int = 0) -> None:
    with open_connection(url, application="test") as conn:
        record_heartbeat(conn, program, "host-7:123", datetime.now(UTC), {"queue": 3})
        conn.execute(
            "UPDATE heartbeat SET at = at - make_interval(secs => %s) WHERE program = %s", (seconds_ago, program)
        )


def test_health_tells_strangers_less(any_database: Database) -> None:
    register(any_database.url, PROFILE, make_devices(3))
    beat(any_database.url, "ingest")
    beat(any_database.url, "service_link", seconds_ago=60)
    with psycopg.connect(any_database.url) as conn:
        conn.execute("UPDATE device SET connectivity = 'ONLINE', last_seen_at = now() WHERE serial = 'T-0000'")
        conn.execute("UPDATE shard SET head = 7, consumed = 5 WHERE shard = 0")
        conn.execute(
            "INSERT INTO ingest_ledger (day, writer, messages, stored) "
            "VALUES ((now() AT TIME ZONE 'UTC')::date, 'w', 5, 25)"
        )
    with running_api(any_database.url) as api:
        health = api.get("/health").json()
        flavours = {"timescale": "timescaledb-apache", "community": "timescaledb-community"}
        assert health["store"] == flavours.get(any_database.flavour, "postgresql")
        assert health["status"] == "degraded"
        status = {p["program"]: p["status"] for p in health["programs"]}
        assert status == {"ingest": "alive", "service-link": "silent", "anomaly": "absent", "api": "absent"}
        assert health["flow"]["blocks_waiting"] == 2
        assert health["flow"]["devices_online"] == 1
        assert health["flow"]["last_message_age_s"] < 60
        assert health["ledger"] is None
        assert "host-7" not in api.get("/health").text
        inside = api.get("/health", headers=api.token(Role.AUDITOR)).json()
        assert inside["ledger"]["stored"] == 25
        assert inside["programs"][0]["details"] == {"queue": 3}


def test_metrics_are_for_a_token_or_for_this_machine(api: Api) -> None:
    text = api.get("/metrics").text
    assert "forewarn_devices 7.0" in text
    assert "forewarn_blocks_waiting 0.0" in text
    api.get("/devices/T-0000")
    api.get("/health/live")
    counted = api.get("/metrics").text
    assert 'forewarn_api_requests_total{method="GET",route="/api/v1/devices/{serial}",status="401"} 1.0' in counted
    assert "T-0000" not in counted
    proxied = {"X-Forwarded-For": "198.51.100.1"}
    assert api.get("/metrics", headers=proxied).status_code == 401
    assert api.get("/metrics", headers={**proxied, **api.token(Role.AUDITOR)}).status_code == 200
    assert api.get("/metrics", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403


def test_ready_means_that_the_schema_is_there(database: Database, postgres_server: DatabaseServer) -> None:
    with running_api(database.url) as api:
        assert api.get("/health/ready").status_code == 200
        assert api.get("/health/live").status_code == 200
        with psycopg.connect(database.owner_url) as conn:
            conn.execute("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
        refused = api.get("/health/ready")
        assert refused.status_code == 503
        assert "forewarn migrate" in refused.json()["detail"]


@pytest.mark.parametrize("path", ["/health", "/devices"])
def test_a_lost_database_is_a_503_that_says_when_to_come_back(database: Database, path: str) -> None:
    with running_api(database.url) as api:
        headers = api.token(Role.AUDITOR)
        with psycopg.connect(database.owner_url, autocommit=True) as conn:
            conn.execute("ALTER TABLE api_token RENAME TO hidden_token")
        broken = api.get("/devices", headers=headers)
        assert broken.status_code == 500
        assert broken.json()["type"] == "urn:forewarn:problem:internal"
        assert "hidden_token" not in broken.text
        assert broken.headers["x-content-type-options"] == "nosniff"
        api.state.pool.close()
        gone = api.get(path, headers={} if path == "/health" else headers)
        assert gone.status_code == 503
        assert gone.headers["retry-after"]
