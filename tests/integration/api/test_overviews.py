"""Customers and devices on one page, and who needs a call first: what each role reads, and whose."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.roles import Role
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

CONTACTS = [{"name": "Zelda Zq-Lindqvist", "phone": "1"}]
NOW = datetime.now(UTC).replace(microsecond=0)
ORDER = (
    "INSERT INTO work_order (code, type, source, priority, state, device_id, site_id, customer_id, fault_group,"
    " title_code, title_params, created_by, closed_at) SELECT %s, 'CORRECTIVE', 'MANUAL', 'P1', %s, d.id, d.site_id,"
    " s.customer_id, %s, 'manual_order', %s, 'zq-dirk', %s FROM device d"
    " JOIN site s ON s.id = d.site_id WHERE d.serial = %s"
)


def add_order(conn: psycopg.Connection[Any], code: str, serial: str, state: str = "NEW") -> None:
    title = Jsonb({"serial": serial, "fault_group": "tank"})
    conn.execute(ORDER, (code, state, code, title, NOW if state == "CLOSED" else None, serial))


def add_breach(conn: psycopg.Connection[Any], serial: str, kind: str, severity: str, params: dict[str, Any]) -> None:
    conn.execute(
        "INSERT INTO breach (id, device_id, series_id, monitor, profile_version, kind, severity, fault_group, state,"
        " first_seen, raised_at, last_seen, count, peak, score, reason_code, params)"
        " SELECT %s, d.id, s.id, 'm', 1, %s, %s, 'tank', 'ACTIVE', %s, %s, %s, 3, 85, 1, 'staleness', %s"
        " FROM device d JOIN series s ON s.device_id = d.id"
        " AND s.sensor = 'level' WHERE d.serial = %s",
        (uuid4(), kind, severity, NOW, NOW, NOW, Jsonb({"serial": serial, **params}), serial),
    )


@pytest.fixture(scope="module")
def made(postgres_server: DatabaseServer) -> Iterator[Api]:
    """One for all that only read."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            yield make_trouble(api)


@pytest.fixture
def own(api: Api) -> Api:
    """The same, for a test that changes it."""
    return make_trouble(api)


def make_trouble(api: Api) -> Api:
    """T-C0 with a P1 order, a critical breach and a forecast at T-0000; T-C1 with nothing but what is not known."""
    api.add_user("zq-tom", Role.TECHNICIAN)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE customer SET contacts = %s", (Jsonb(CONTACTS),))
        add_order(conn, "WO-1", "T-0000")
        add_order(conn, "WO-2", "T-0000", "CLOSED")
        conn.execute("UPDATE work_order SET assignee_id = (SELECT id FROM app_user WHERE name = 'zq-tom')")
        for code, clock, state in (("WO-1", "RESPONSE", "RUNNING"), ("WO-2", "RESPONSE", "MET")):
            conn.execute(
                "INSERT INTO sla_clock (work_order_id, version, clock, state, started_at, allowed_s, used_s, due_at,"
                " met_at) SELECT id, 1, %s, %s, %s, 60, 0, %s, %s FROM work_order WHERE code = %s",
                (clock, state, NOW, NOW + timedelta(days=9), NOW if state == "MET" else None, code),
            )
        conn.execute(
            "INSERT INTO sla_clock (work_order_id, version, clock, state, started_at, allowed_s, used_s, due_at,"
            " breached_at) SELECT id, 1, 'RESOLUTION', 'BREACHED', %s, 60, 60, %s, %s FROM work_order"
            " WHERE code = 'WO-2'",
            (NOW, NOW, NOW),
        )
        add_breach(conn, "T-0000", "LIMIT", "CRITICAL", {})
        hours = {"hours_to_limit": 48.0, "hours_low": 30.0, "hours_high": None}
        add_breach(conn, "T-0000", "FORECAST", "MINOR", hours)
        conn.execute(
            "INSERT INTO complaint (code, state, received_at, severity, details, reporter_name, device_id, customer_id,"
            " created_by, created_at, updated_at) SELECT 'CMP-1', 'RECEIVED', %s, 'MAJOR', 'x', 'Zq-Anna', d.id,"
            " s.customer_id, 'zq-dirk', %s, %s FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = 'T-0000'",
            (NOW, NOW, NOW),
        )
        conn.execute(
            "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, fault_group, trigger, statistics)"
            " SELECT 'CAPA-1', 'CORRECTIVE', 'OPEN', min(id), 'MODEL', 'tank', 'COHORT', '{}' FROM device_model"
        )
        conn.execute("INSERT INTO capa_member (capa_id, work_order_id) SELECT q.id, w.id FROM capa q, work_order w")
        conn.execute(
            "INSERT INTO service_contract (code, customer_id, starts_on, ends_on, remind_days)"
            " SELECT 'K-0', id, '2020-01-01', %s, 60 FROM customer WHERE code = 'T-C0'",
            (NOW.date() + timedelta(days=10),),
        )
        conn.execute(
            "UPDATE device SET connectivity = 'OFFLINE', connectivity_since = %s, last_seen_at = %s,"
            " calibration_due = '2020-01-01' WHERE serial = 'T-0002'",
            (NOW, NOW),
        )
    return api


def read(api: Api, path: str, role: Role, customer: str | None = None) -> dict[str, Any]:
    answer = api.get(path, headers=api.token(role, customer=customer))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_ranked_list_names_who_needs_a_call_and_why(made: Api) -> None:
    found = read(made, "/customers/attention", Role.SERVICE_MANAGER)
    assert [(i["rank"], i["code"], i["device_count"]) for i in found["items"]] == [(1, "T-C0", 3), (2, "T-C1", 3)]
    assert (found["customers"], found["devices"], found["total"], found["hidden"]) == (2, 6, 2, [])
    first, second = (item["risk"] for item in found["items"])
    # breach 100 + 30 + 3, forecast 20, order 40 + 15 + 2, missed 5, complaint 30 + 10, CAPA 10, contract 20,
    # silent 8, three unknown 5 + 2, calibration 25 + 2, two unknown 1 + 1
    assert first["score"] == 133 + 20 + 57 + 5 + 40 + 10 + 20 + 8 + 7 + 27 + 2
    assert [(r["code"], r["points"]) for r in first["reasons"]] == [
        ("critical_breach", 100),
        ("urgent_order", 40),
        ("major_breach", 30),
        ("major_complaint", 30),
        ("calibration_overdue", 25),
    ]
    assert first["reasons"][0]["params"] == {"count": 1, "example": "T-0000"}
    assert first["reasons"][1]["sentence"] == {
        "en": "P1 orders still to be done: 1, first WO-1.",
        "zh": "未完成的 P1 工单：1 张，首张 WO-1。",
    }
    assert first["more_reasons"] == 12
    assert second["score"] == (25 + 2) + (5 + 2) + (1 + 2)  # no contract, nothing reported, no date of calibration


def test_pages_neither_skip_nor_repeat_and_least_leaves_out(made: Api) -> None:
    whole = read(made, "/customers/attention", Role.SERVICE_MANAGER)["items"]
    one = read(made, "/customers/attention?limit=1", Role.SERVICE_MANAGER)
    two = read(made, f"/customers/attention?limit=1&cursor={one['next_cursor']}", Role.SERVICE_MANAGER)
    assert [*one["items"], *two["items"]] == whole
    assert two["next_cursor"] is None
    assert [i["code"] for i in read(made, "/customers/attention?least=38", Role.SERVICE_MANAGER)["items"]] == ["T-C0"]
    assert read(made, "/customers/attention?region=moon", Role.SERVICE_MANAGER)["customers"] == 0
    headers = made.token(Role.SERVICE_MANAGER)
    assert made.get("/customers/attention?cursor=x", headers=headers).status_code == 422
    assert made.get("/customers/attention?reigon=EU", headers=headers).status_code == 422


def test_simulated_records_are_counted_apart(own: Api) -> None:
    with psycopg.connect(own.settings.database_url) as conn:
        conn.execute("UPDATE device SET is_simulated = true WHERE serial = 'T-0002'")
    real = read(own, "/customers/attention", Role.SERVICE_MANAGER)
    assert (real["devices"], "calibration_overdue" in str(real)) == (5, False)
    simulated = read(own, "/customers/attention?simulated=true", Role.SERVICE_MANAGER)
    assert [i["code"] for i in simulated["items"]] == ["T-C0"]
    assert simulated["items"][0]["risk"]["score"] == 8 + 5 + 25 + 2
    page = read(own, "/customers/T-C0/overview", Role.SERVICE_MANAGER)
    assert (page["is_simulated"], page["devices"]["total"], page["work_orders"]["total"]) == (False, 2, 1)
    page = read(own, "/customers/T-C0/overview?simulated=true", Role.SERVICE_MANAGER)
    assert (page["is_simulated"], page["devices"]["total"], page["work_orders"]["total"]) == (True, 1, 0)
    assert page["risk"]["score"] == 40
    assert read(own, "/devices/T-0002/overview", Role.SERVICE_MANAGER)["is_simulated"] is True


def test_a_customer_on_one_page(made: Api) -> None:
    page = read(made, "/customers/T-C0/overview", Role.SERVICE_MANAGER)
    assert page["contacts"] == CONTACTS
    assert page["hidden"] == []
    contract = page["contract"]
    assert (contract["code"], contract["is_current"]) == ("K-0", True)
    assert contract["end"]["days_left"] in (9, 10)  # midnight may have passed
    assert (contract["end"]["state"], contract["follows"]) == ("SOON", None)
    assert page["sla"]["shares"] == {
        "RESPONSE": {"met": 1, "breached": 0, "share": 1.0},
        "RESOLUTION": {"met": 0, "breached": 1, "share": 0.0},
    }
    assert [(c["work_order"], c["clock"], c["state"]) for c in page["sla"]["clocks"]["items"]] == [
        ("WO-1", "RESPONSE", "RUNNING")
    ]
    assert page["devices"]["by_health"] == {"OK": 0, "ATTENTION": 0, "FAULT": 1, "UNKNOWN": 2}
    assert page["devices"]["by_connectivity"] == {"UNKNOWN": 2, "OFFLINE": 1}
    exceptions = {
        e["exception"]: [(d["serial"], d["reason"]) for d in e["items"]] for e in page["devices"]["exceptions"]
    }
    assert exceptions == {
        "open_breach": [("T-0000", "CRITICAL")],
        "offline": [("T-0002", "OFFLINE")],
        "stale": [],
        "unknown_health": [("T-0000", "never_reported"), ("T-0002", "offline"), ("T-0004", "never_reported")],
        "quarantined": [],
        "calibration_overdue": [("T-0002", "2020-01-01")],
        "warranty_ending": [],
    }
    (order,) = page["work_orders"]["items"]
    assert (order["code"], order["priority"], order["assignee"]) == ("WO-1", "P1", "zq-tom")
    assert order["title"]["en"] == "Service was asked for T-0000: tank."
    assert [(c["code"], c["orders"]) for c in page["capas"]["items"]] == [("CAPA-1", 2)]
    assert [c["code"] for c in page["complaints"]["items"]] == ["CMP-1"]
    assert page["field_actions"] == {"total": 0, "items": []}
    assert [(c["serial"], c["due"]["state"]) for c in page["calibrations"]["items"]] == [
        ("T-0002", "OVER"),
        ("T-0000", "UNKNOWN"),
        ("T-0004", "UNKNOWN"),
    ]
    none = read(made, "/customers/T-C1/overview", Role.SERVICE_MANAGER)
    assert none["contract"] is None
    assert none["sla"]["shares"]["RESPONSE"] == {"met": 0, "breached": 0, "share": None}


def test_a_device_on_one_page(made: Api) -> None:
    page = read(made, "/devices/T-0000/overview", Role.SERVICE_MANAGER)
    assert (page["health"], page["lifecycle"]["state"]) == ({"state": "FAULT", "reason": "open_breach"}, "IN_SERVICE")
    assert (page["connectivity"]["state"], page["place"]["customer"]) == ("UNKNOWN", "T-C0")
    assert [o["code"] for o in page["work_orders"]["items"]] == ["WO-1"]
    assert [o["code"] for o in page["past_work_orders"]["items"]] == ["WO-2"]
    assert [(b["kind"], b["severity"]) for b in page["breaches"]["items"]] == [
        ("LIMIT", "CRITICAL"),
        ("FORECAST", "MINOR"),
    ]
    (forecast,) = page["forecasts"]
    assert (forecast["hours_to_limit"], forecast["hours_high"], forecast["is_passed"]) == (48.0, None, False)
    assert datetime.fromisoformat(forecast["expected_at"]) == NOW + timedelta(hours=48)
    assert (page["contract"]["code"], page["warranty"]["state"]) == ("K-0", "UNKNOWN")
    assert page["calibration"] == {"on": None, "days_left": None, "state": "UNKNOWN"}
    assert [c["code"] for c in page["complaints"]["items"]] == ["CMP-1"]
    assert page["risk"]["reasons"][0]["sentence"]["en"] == "Has a critical breach."
    other = read(made, "/devices/T-0002/overview", Role.SERVICE_MANAGER)
    assert other["calibration"]["days_left"] < -2000
    assert (other["calibration"]["state"], other["breaches"]["total"], other["forecasts"]) == ("OVER", 0, [])


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        (Role.SERVICE_MANAGER, []),
        (Role.AUDITOR, ["customer.contacts"]),
        (Role.DISPATCHER, ["capa_open", "capas"]),
        (
            Role.TECHNICIAN,
            ["capa_open", "capas", "complaints", "critical_complaint", "major_complaint", "open_complaint"],
        ),
    ],
)
def test_what_a_role_does_not_show_is_null_named_and_without_points(made: Api, role: Role, parts: list[str]) -> None:
    page = read(made, "/customers/T-C0/overview", role)
    assert page["hidden"] == parts
    assert (page["contacts"] is None) == ("customer.contacts" in parts)
    for name in ("capas", "complaints"):
        assert (page[name] is None) == (name in parts)
    hidden = 10 * ("capa_open" in parts) + 40 * ("major_complaint" in parts)
    assert page["risk"]["score"] == 329 - hidden
    listed = read(made, "/customers/attention", role)
    assert listed["items"][0]["risk"] == page["risk"]
    assert listed["hidden"] == [part for part in parts if part not in ("capas", "complaints")]
    device = read(made, "/devices/T-0000/overview", role)
    assert (device["capas"] is None, device["complaints"] is None) == ("capas" in parts, "complaints" in parts)


def test_a_customers_user_sees_its_own_alone_and_nobodys_name(made: Api) -> None:
    token = made.token(Role.CUSTOMER, customer="T-C0")
    listed = made.get("/customers/attention", headers=token)
    assert [(i["code"], i["contacts"]) for i in listed.json()["items"]] == [("T-C0", None)]
    assert listed.json()["customers"] == 1
    own = [made.get(path, headers=token) for path in ("/customers/T-C0/overview", "/devices/T-0000/overview")]
    for answer in (listed, *own):
        assert answer.status_code == 200
        assert "zq-" not in answer.text.lower()
    assert own[0].json()["work_orders"]["items"][0]["assignee"] is None
    assert (own[0].json()["capas"], own[0].json()["field_actions"], own[1].json()["complaints"]) == (None, None, None)
    for path in ("/customers/T-C1/overview", "/devices/T-0001/overview", "/customers/nobody/overview"):
        assert made.get(path, headers=token).status_code == 404
    for path in ("/customers/attention", "/customers/T-C0/overview", "/devices/T-0000/overview"):
        assert made.get(path, headers=made.token(Role.ADMIN)).status_code == 403


def test_what_was_done_for_another_customer_stays_there(own: Api) -> None:
    """T-0000 goes from T-C0 to T-C1: its new owner sees the breach that stands, and nothing of the orders before."""
    with psycopg.connect(own.settings.database_url) as conn:
        for minutes, reason in ((60, "dropped by Zq-Porter"), (0, "ended: zq")):
            conn.execute(
                "INSERT INTO shelving (device_id, reason, shelved_by, shelved_at, shelved_until) SELECT id, %s, 'mia',"
                " now() - interval '2 hours', now() + make_interval(mins => %s) FROM device WHERE serial = 'T-0000'",
                (reason, minutes),
            )
        conn.commit()
        conn.execute("UPDATE device SET site_id = (SELECT id FROM site WHERE code = 'T-S1') WHERE serial = 'T-0000'")
    page = read(own, "/devices/T-0000/overview", Role.CUSTOMER, "T-C1")
    listed = read(own, "/devices/T-0000/shelvings?current=false", Role.CUSTOMER, "T-C1")["items"]
    assert [s["reason"] for s in page["shelvings"]] == [s["reason"] for s in listed] == [""]
    ours = read(own, "/devices/T-0000/shelvings?current=false", Role.SERVICE_MANAGER)["items"]
    assert {s["reason"] for s in ours} == {"dropped by Zq-Porter", "ended: zq"}
    assert (page["work_orders"]["total"], page["past_work_orders"]["total"], page["clocks"]["total"]) == (0, 0, 0)
    assert page["breaches"]["total"] == 2
    codes = {reason["code"] for reason in page["risk"]["reasons"]}
    assert "critical_breach" in codes
    assert not codes & {"urgent_order", "high_order", "open_repair", "sla_missed"}
    assert page["risk"]["score"] == 100 + 30 + 3 + 20 + 10 + 5 + 1
    ours = read(own, "/devices/T-0000/overview", Role.SERVICE_MANAGER)
    assert (ours["work_orders"]["total"], ours["past_work_orders"]["total"]) == (1, 1)
