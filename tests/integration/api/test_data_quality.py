"""Data quality, the ledger and rejections by the API: who sees what, what adds up, and what can be replayed."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from domain.roles import Role
from ingest.message import Message
from ingest.replay import replay_requested
from service_link.data_quality import judge_devices
from service_link.ticks import watch_data_quality
from store.heartbeats import record_heartbeat
from store.pool import open_connection
from tests.integration.ingest.lab import Bench, Lab, telemetry
from tests.support.http_api import Api, find_errors


class Began(NamedTuple):
    """When a test began, also where midnight comes before it ends; tests may be collected hours before they run."""

    ms: int
    today: str
    yesterday: str


@pytest.fixture
def began() -> Began:
    ms = time.time_ns() // 1_000_000
    day = datetime.fromtimestamp(ms / 1000, UTC).date()
    return Began(ms, day.isoformat(), (day - timedelta(days=1)).isoformat())


@pytest.fixture
def bench(api: Api) -> Iterator[Bench]:
    """A process of ingestion on the database of the API."""
    bench = Bench(Lab(api.settings.database_url))
    yield bench
    bench.close()


def judge_by_hand(api: Api, day: str, serial: str, *, completeness: float, alerts: tuple[str, ...] = ()) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO data_quality_day (day, device_id, expected, present, missing_ratio, completeness, received,"
            " least_completeness, alerts, judged_until, is_over, judged_at, skew_s)"
            " SELECT %s, id, 1000, %s, %s, %s, 900, 0.8, %s, now(), false, now(), 1.5 FROM device WHERE serial = %s",
            (day, round(1000 * completeness), 1 - completeness, completeness, list(alerts), serial),
        )
        conn.execute("UPDATE device SET last_seen_at = now(), connectivity = 'ONLINE' WHERE serial = %s", (serial,))


def find_health_of(api: Api, serial: str, headers: dict[str, str]) -> dict[str, Any]:
    health: dict[str, Any] = api.get(f"/devices/{serial}", headers=headers).json()["health"]
    return health


def test_judged_days_with_filters_and_pages(api: Api, began: Began) -> None:
    judge_by_hand(api, began.today, "T-0000", completeness=1.0)
    judge_by_hand(api, began.today, "T-0001", completeness=0.5, alerts=("missing", "clock_skew"))
    judge_by_hand(api, began.yesterday, "T-0001", completeness=0.9)
    headers = api.token(Role.QUALITY_ENGINEER)
    everything = api.get("/data-quality?total=true", headers=headers).json()
    assert [(d["day"], d["serial"]) for d in everything["items"]] == [
        (began.today, "T-0000"), (began.today, "T-0001"), (began.yesterday, "T-0001"),
    ]  # fmt: skip
    assert everything["total"] == 3
    assert everything["items"][1]["alerts"] == ["missing", "clock_skew"]
    first = api.get("/data-quality?limit=2", headers=headers).json()
    rest = api.get(f"/data-quality?limit=2&cursor={first['next_cursor']}", headers=headers).json()
    assert [*first["items"], *rest["items"]] == everything["items"]
    for query, expected in (
        ("device=T-0001", 2), ("alert=clock_skew", 1), ("alert=duplicate", 0), ("alerts_only=true", 1),
        ("customer=T-C1", 2), (f"from={began.today}", 2), (f"from={began.yesterday}&to={began.yesterday}", 1),
    ):  # fmt: skip
        assert len(api.get(f"/data-quality?{query}", headers=headers).json()["items"]) == expected, query
    summary = api.get("/data-quality/summary", headers=headers).json()
    assert (summary["device_days"], summary["devices"], summary["incomplete"]) == (3, 2, 1)
    assert summary["completeness"] == pytest.approx(0.8)
    assert summary["alerts"]["missing"] == 1
    assert "from" in find_errors(api.get("/data-quality?from=2026-01-02&to=2026-01-01", headers=headers))
    assert "cursor" in find_errors(api.get("/data-quality?cursor=bm8", headers=headers))


def test_a_customer_sees_the_days_of_its_own_devices(api: Api, began: Began) -> None:
    judge_by_hand(api, began.today, "T-0000", completeness=1.0)
    judge_by_hand(api, began.today, "T-0001", completeness=0.5, alerts=("missing",))
    own = api.token(Role.CUSTOMER, customer="T-C0")
    assert [d["serial"] for d in api.get("/data-quality", headers=own).json()["items"]] == ["T-0000"]
    assert api.get("/data-quality?device=T-0001", headers=own).json()["items"] == []
    assert api.get("/data-quality/summary", headers=own).json()["device_days"] == 1
    for path in ("/data-quality/ledger", "/data-quality/ledger/devices", "/rejections/groups"):
        assert api.get(path, headers=own).status_code == 403


def test_no_alarm_is_health_only_where_the_data_are_complete(api: Api, began: Began) -> None:
    headers = api.token(Role.DISPATCHER)
    assert find_health_of(api, "T-0000", headers) == {"state": "UNKNOWN", "reason": "never_reported"}
    judge_by_hand(api, began.today, "T-0000", completeness=0.97)
    judge_by_hand(api, began.today, "T-0001", completeness=0.5)
    assert find_health_of(api, "T-0000", headers) == {"state": "OK", "reason": "complete"}
    listed = {d["serial"]: d for d in api.get("/devices", headers=headers).json()["items"]}
    assert listed["T-0001"]["health"] == {"state": "UNKNOWN", "reason": "incomplete"}
    assert (listed["T-0001"]["completeness"], listed["T-0001"]["quality_day"]) == (0.5, began.today)
    assert listed["T-0002"]["completeness"] is None
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET connectivity = 'OFFLINE' WHERE serial = 'T-0000'")
    assert find_health_of(api, "T-0000", headers) == {"state": "UNKNOWN", "reason": "offline"}
    scores = api.get("/devices/T-0000/scores?sensor=level", headers=headers).json()
    assert scores["completeness"] == pytest.approx(0.97)


def test_the_ledger_adds_up_with_what_a_publisher_counted(api: Api, bench: Bench, began: Began) -> None:
    published = [telemetry(f"T-{i % 3:04}", began.ms + k, level=i, flow=k) for k in range(5) for i in range(6)]
    published += [telemetry("STRANGER", began.ms, level=1), telemetry("T-0000", began.ms, leve=1)]
    bench.take(published, began.ms * 1000)
    bench.take(published[:6], began.ms * 1000 + 1_000_000)
    with open_connection(api.settings.database_url, application="test") as conn:
        record_heartbeat(conn, "ingest", "a", datetime.now(UTC), {"waiting_messages": 7, "waiting_bytes": 700})
    headers = api.token(Role.AUDITOR)
    ledger = api.get("/data-quality/ledger", headers=headers).json()
    (day,) = ledger["days"]
    values = sum(len(json.loads(message.payload)["values"]) for message in [*published, *published[:6]])
    assert day["messages"] == len(published) + 6
    assert day["values_received"] == values
    assert day["stored"] + day["duplicates"] + day["conflicts"] + day["rejected"] == values
    assert (ledger["balanced"], ledger["in_flight_messages"]) == (True, 7)
    devices = api.get(f"/data-quality/ledger/devices?day={began.today}", headers=headers).json()["items"]
    for name in ("stored", "duplicates", "conflicts", "rejected"):
        assert sum(device[name] for device in devices) == day[name], name
    one = api.get("/data-quality/ledger/devices/T-0000", headers=headers).json()["items"]
    assert one == [device for device in devices if device["serial"] == "T-0000"]
    assert [device["rejected"] for device in devices if device["serial"] is None] == [1]
    first = api.get(f"/data-quality/ledger/devices?day={began.today}&limit=2", headers=headers).json()
    rest = api.get(
        f"/data-quality/ledger/devices?day={began.today}&limit=9&cursor={first['next_cursor']}", headers=headers
    ).json()
    assert [*first["items"], *rest["items"]] == devices
    metrics = api.get("/metrics", headers=headers).text
    assert f'forewarn_ingest_values_total{{outcome="stored"}} {day["stored"]}.0' in metrics
    assert 'forewarn_ingest_in_flight_messages{instance="a"} 7.0' in metrics
    assert "T-0000" not in metrics
    health = api.get("/health", headers=headers).json()
    assert health["ledger"]["in_flight_messages"] == 7
    assert health["ledger"]["rejected"] == 2


def test_a_cause_is_replayed_and_the_ledger_moves(api: Api, bench: Bench, began: Began) -> None:
    unknown = [telemetry("NEW-1", began.ms + k, level=k) for k in range(3)]
    bench.take([*unknown, telemetry("T-0000", began.ms, leve=1)], began.ms * 1000)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        watch_data_quality(conn, datetime.now(UTC))
    reader, steward = api.token(Role.AUDITOR), api.token(Role.DATA_STEWARD)
    groups = {g["reason"]: g for g in api.get("/rejections/groups", headers=reader).json()["items"]}
    assert (groups["unknown_serial"]["count"], groups["unknown_serial"]["some_serials"]) == (3, ["NEW-1"])
    assert groups["unknown_sensor"]["field_pattern"] == "values.leve"
    assert groups["unknown_sensor"]["example_detail"].startswith("the device's model has no sensor")
    order = {"reason": "unknown_serial", "field_pattern": "", "why": "registered"}
    assert api.post("/rejections/replay", json=order, headers=reader).status_code == 403
    key = {"Idempotency-Key": "replay-of-new-1"}
    asked = api.post("/rejections/replay", json=order, headers=steward | key)
    assert (asked.status_code, asked.json()) == (202, {"requested": 3, "left_out": {}, "has_more": False})
    again = api.post("/rejections/replay", json=order, headers=steward | key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (asked.json(), "true")
    assert api.post("/rejections/replay", json=order, headers=steward).json()["requested"] == 0
    assert replay_requested(bench.conn, bench.table, bench.sightings, bench.settings, datetime.now(UTC)) == 3
    refused = api.get("/rejections?reason=unknown_serial&total=true", headers=reader).json()
    assert {r["replay"] for r in refused["items"]} == {"still_refused"}  # nobody has registered it
    assert refused["items"][0]["replay_outcome"]["reason"] == "unknown_serial"
    audit = api.get("/audit?action=rejection.replay_requested", headers=reader).json()["items"]
    assert [(a["after"]["requested"], a["reason"], a["permission"]) for a in audit] == [
        (3, "registered", "rejection.replay")
    ]
    made = {"serial": "NEW-1", "model": "TEST-100", "customer": "T-C0", "site": "T-S0"}
    assert api.post("/devices", json=made, headers=steward).status_code == 201
    assert api.post("/rejections/replay", json=order, headers=steward).json()["requested"] == 3
    fresh = Bench(Lab(api.settings.database_url), "other")
    replay_requested(fresh.conn, fresh.table, fresh.sightings, fresh.settings, datetime.now(UTC))
    fresh.close()
    (day,) = api.get("/data-quality/ledger", headers=reader).json()["days"]
    assert (day["stored"], day["rejected"], day["replayed"], day["values_received"]) == (3, 1, 3, 4)
    listed = api.get(f"/data-quality/ledger/devices?day={began.today}", headers=reader).json()["items"]
    devices = {d["serial"]: d for d in listed}
    assert (devices["NEW-1"]["stored"], devices["NEW-1"]["received"]) == (3, 3)
    assert sum(d["rejected"] for d in devices.values()) == 1
    groups = {g["reason"]: g for g in api.get("/rejections/groups", headers=reader).json()["items"]}
    assert (groups["unknown_serial"]["count"], groups["unknown_serial"]["open"]) == (3, 0)
    counted = api.get("/metrics", headers=reader).text
    assert 'forewarn_ingest_values_total{outcome="rejected"} 4.0' in counted  # never less than it was
    assert "forewarn_ingest_replayed_values_total 3.0" in counted


def test_one_rejection_is_replayed_or_says_why_not(api: Api, bench: Bench, began: Began) -> None:
    bench.take([telemetry("T-0000", began.ms, leve=1), telemetry("T-0000", began.ms + 1, level=1)], began.ms * 1000)
    cut = Message(b"forewarn/v1/T-0000/telemetry", b'{"ts": 1', 1, 0x32, 2 << 20)
    bench.take([telemetry("T-0000", began.ms + 1, level=2), cut], began.ms * 1000 + 1_000_000)
    engineer = api.token(Role.ENGINEER)
    ids = {r["reason"]: r["id"] for r in api.get("/rejections", headers=engineer).json()["items"]}
    for reason, guard in (("conflict", "conflict_stays"), ("too_large", "payload_not_kept")):
        refused = api.post(f"/rejections/{ids[reason]}/replay", headers=engineer)
        assert (refused.status_code, refused.json()["guard"]) == (409, guard)
    assert api.post(f"/rejections/{ids['unknown_sensor']}/replay", headers=engineer).status_code == 202
    waiting = api.post(f"/rejections/{ids['unknown_sensor']}/replay", headers=engineer)
    assert (waiting.status_code, waiting.json()["guard"]) == (409, "already_requested")
    assert api.post("/rejections/999999/replay", headers=engineer).status_code == 404
    assert find_errors(api.post("/rejections/replay", json={}, headers=engineer))
    assert find_errors(api.post("/rejections/replay", json={"ids": [1], "reason": "x"}, headers=engineer))
    assert api.get("/health", headers=engineer).json()["data_quality"]["replays_waiting"] == 1


def test_a_round_of_the_watch_is_idle_where_nothing_is_due(api: Api) -> None:
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        assert judge_devices(conn, datetime.now(UTC)) == (0, 0)
