"""Panels over stored readings and their lane of events: what each may see, in which window, in how many points."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.support.http_api import Api, Session

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BEGIN = NOW - timedelta(hours=2)
# Of T-0000, which came from T-C1 to T-C0 an hour ago.
MADE = """
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT d.id, %(now)s::timestamptz - ago, field, before, after, source
    FROM device d, (VALUES
        (interval '90 minutes', 'firmware:main', '1.0.0', '1.1.0', 'device'),
        (interval '60 minutes', 'customer', 'T-C1', 'T-C0', 'user:eve'),
        (interval '60 minutes', 'site', 'T-C1-S', 'T-C0-S', 'user:eve'),
        (interval '30 minutes', 'firmware:main', '1.1.0', '1.2.0', 'device'),
        (interval '20 minutes', 'lifecycle', 'INSTALLED', 'IN_SERVICE', 'user:eve')
    ) AS made (ago, field, before, after, source) WHERE d.serial = 'T-0000';
"""
BREACH = """
    INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, first_seen,
        raised_at, last_seen, cleared_at, count, peak, score, reason_code, params)
    SELECT gen_random_uuid(), id, 'level_high', 1, 'LIMIT', 'MAJOR', 'tank', %(state)s, %(at)s, %(at)s, %(at)s,
        %(until)s, 1, 1, 1, 'limit_high', '{}'
    FROM device WHERE serial = 'T-0000'
"""
ORDER = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, customer_id, fault_group, title_code,
        title_params, created_by, created_at, closed_at)
    SELECT %(code)s, 'CORRECTIVE', 'AUTOMATIC', 'P2', %(state)s, d.id, c.id, 'tank', 'limit_high', '{}', 'machine',
        %(at)s, %(until)s
    FROM device d, customer c WHERE d.serial = 'T-0000' AND c.code = %(customer)s RETURNING id
"""
VISIT = """
    INSERT INTO work_order_visit (work_order_id, order_version, technician_id, arrived_at, left_at, outcome)
    SELECT %s, 1, id, %s, %s, 'COMPLETED' FROM app_user LIMIT 1
"""
SHELVED = """
    INSERT INTO shelving (device_id, fault_group, reason, shelved_by, shelved_at, shelved_until)
    SELECT id, 'tank', 'a part is on its way', 'eve', %s, %s FROM device WHERE serial = 'T-0000'
"""
READINGS = """
    INSERT INTO reading (series_id, observed_at, value)
    SELECT s.id, at, CASE WHEN at = %(begin)s::timestamptz + interval '61 minutes' THEN 85 ELSE 50 END
    FROM series s JOIN device d ON d.id = s.device_id,
        generate_series(%(begin)s::timestamptz, %(begin)s::timestamptz + interval '119 minutes', interval '1 second')
        AS at
    WHERE d.serial = 'T-0000' AND s.sensor = 'level' AND NOT at BETWEEN %(gap)s AND %(gap_end)s
"""


def minutes(ago: float) -> datetime:
    return NOW - timedelta(minutes=ago)


@pytest.fixture
def manager(api: Api) -> Session:
    """Somebody who sees everything, and what happened to T-0000 in the last two hours."""
    api.add_user("mona", Role.SERVICE_MANAGER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(MADE, {"now": NOW})
        for state, at, until in (
            ("CLEARED", minutes(100), minutes(80)),
            ("DISCARDED", minutes(50), minutes(45)),
            ("ACTIVE", minutes(15), None),
            ("CLEARED", minutes(400), minutes(300)),
        ):
            conn.execute(BREACH, {"state": state, "at": at, "until": until})
        old = {"code": "WO-2026-000901", "state": "CLOSED", "at": minutes(100), "until": minutes(70)}
        ((order,),) = conn.execute(ORDER, {**old, "customer": "T-C1"}).fetchall()
        conn.execute(VISIT, (order, minutes(85), minutes(75)))
        new = {"code": "WO-2026-000902", "state": "NEW", "at": minutes(14), "until": None}
        conn.execute(ORDER, {**new, "customer": "T-C0"})
        conn.execute(SHELVED, (minutes(10), minutes(-60)))
    return api.sign_in("mona")


def ask(api: Api, session: Session, **query: Any) -> dict[str, Any]:
    window = {"from": BEGIN.isoformat(), "to": NOW.isoformat()}
    answer = api.client.get("/devices/T-0000/signals", params=window | query, headers=session.reading)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def find_items(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["kind"], item["label"] or item["says"]) for item in found["lane"]["items"]]


def test_the_lane_has_what_lies_in_the_window(api: Api, manager: Session) -> None:
    found = ask(api, manager)
    assert find_items(found) == [
        ("FAULT", "tank"),
        ("ORDER", "WO-2026-000901"),
        ("FIRMWARE", "1.1.0"),
        ("VISIT", "WO-2026-000901"),
        ("SITE", "T-C1-S → T-C0-S"),
        ("FIRMWARE", "1.2.0"),
        ("LIFECYCLE", "Installed → In service"),
        ("FAULT", "tank"),
        ("ORDER", "WO-2026-000902"),
        ("SHELVED", "tank"),
    ]
    goes_on = found["lane"]["items"][-3]
    assert goes_on["until"] is None
    assert goes_on["when"].startswith("since 11-20 ")
    assert find_items(ask(api, manager, **{"from": minutes(25).isoformat(), "to": minutes(16).isoformat()})) == [
        ("LIFECYCLE", "Installed → In service")
    ]


def test_a_customer_sees_nothing_of_the_time_before_the_device_was_theirs(api: Api, manager: Session) -> None:
    api.add_user("carl", Role.CUSTOMER, customer="T-C0")
    items = find_items(ask(api, api.sign_in("carl")))
    assert ("FIRMWARE", "1.2.0") in items
    assert not {("FIRMWARE", "1.1.0"), ("VISIT", "WO-2026-000901"), ("ORDER", "WO-2026-000901")} & set(items)
    assert "T-C1" not in str(items)
    assert [kind for kind, _ in items].count("FAULT") <= 1
    api.add_user("cora", Role.CUSTOMER, customer="T-C1")
    answer = api.client.get("/devices/T-0000/signals", headers=api.sign_in("cora").reading)
    assert answer.status_code == 404


def test_a_window_comes_in_so_many_points_with_its_gap_and_its_worst(api: Api, manager: Session) -> None:
    gap, gap_end = minutes(40), minutes(20)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("SELECT ensure_reading_partitions(ARRAY[%s::date])", (NOW.date(),))
        conn.execute(READINGS, {"begin": BEGIN, "gap": gap, "gap_end": gap_end})
    found = ask(api, manager, sensor="level", points=120)
    assert list(found["signals"]) == ["level"]
    level = found["signals"]["level"]
    assert level["bucketed"] is True
    assert len([value for value in level["y"] if value is not None]) <= 120
    assert [value for value in level["breach"] if value is not None] == [85.0]  # one second of two hours
    assert max(value for value in level["y"] if value is not None) < 80
    (hole,) = [(a, b) for a, b in level["gaps"] if b - a > 600]
    assert hole[0] == pytest.approx(gap.timestamp(), abs=120)
    assert hole[1] == pytest.approx(gap_end.timestamp(), abs=120)
    assert {limit["kind"] for limit in level["limits"]} == {"raise", "clear"}
    near = {"from": minutes(60).isoformat(), "to": minutes(58).isoformat()}
    raw = ask(api, manager, sensor="level", points=2000, **near)
    assert raw["raw"] is True
    assert len(raw["signals"]["level"]["x"]) == 120
    assert "low" not in raw["signals"]["level"]


def test_a_window_that_makes_no_sense_is_refused(api: Api) -> None:
    api.add_user("mona", Role.SERVICE_MANAGER)
    headers = api.sign_in("mona").reading
    for query in (
        {"points": "2001"},
        {"points": "0"},
        {"from": "2026-11-20T12:00:00"},
        {"from": NOW.isoformat(), "to": BEGIN.isoformat()},
        {"from": "2001-01-01T00:00:00Z", "to": NOW.isoformat()},
    ):
        assert api.client.get("/devices/T-0000/signals", params=query, headers=headers).status_code == 422, query
