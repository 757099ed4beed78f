"""A customer with people on both sides: of an order that was closed, of a breach, of a shelving."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from domain.audit import Actor
from domain.roles import Role
from store.device_gateways import assign_gateway
from store.pool import open_connection
from tests.support.http_api import PASSWORD, Api, Session

# Nothing else in any answer looks like these.
TECHNICIAN, DISPATCHER, MANAGER, CONTACT = "zq-tom", "zq-dirk", "zq-mona", "Zelda Zq-Lindqvist"
MARK = re.compile("zq-", re.IGNORECASE)
BREACH = UUID("5f0c2a52-3f0e-5d0b-9a53-2b8f5f6f7e11")
CLOSE_OUT = {
    "device_name": "Test device",
    "device_identification": "T-0000",
    "serviced_on": "2026-11-22",
    "serviced_by": "Zq-Tom",
    "work_performed": "Replaced the drive",
    "test_data": "0.9 A at 10 mL/h",
}


@dataclass
class Clinic:
    """One customer with people on both sides of an order that was closed, a breach and a shelving."""

    api: Api
    order: str
    visitor: Session  # a customer's own user

    def find_values(self) -> dict[str, str]:
        """What stands for the parameters of paths."""
        return {"serial": "T-0000", "code": self.order, "breach_id": str(BREACH), "model": "TEST-100"}


def make_clinic(api: Api) -> Clinic:
    """The clinic, its order taken from opening to the signed end."""
    for name, role in ((TECHNICIAN, Role.TECHNICIAN), (DISPATCHER, Role.DISPATCHER), (MANAGER, Role.SERVICE_MANAGER)):
        api.add_user(name, role)
    api.add_user("visitor", Role.CUSTOMER, customer="T-C0")
    people = {name: api.sign_in(name).writing for name in (TECHNICIAN, DISPATCHER, MANAGER)}
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE customer SET contacts = %s", (Jsonb([{"name": CONTACT, "phone": "1"}]),))
        conn.execute(
            "INSERT INTO technician_certificate SELECT u.id, m.id, '2099-01-01' FROM device_model m, app_user u"
            " WHERE m.key = 'TEST-100' AND u.name = %s",
            (TECHNICIAN,),
        )
        conn.execute(
            "INSERT INTO breach (id, device_id, series_id, monitor, profile_version, kind, severity, fault_group, "
            "state, first_seen, raised_at, last_seen, count, peak, score, reason_code, params) "
            "SELECT %s, d.id, s.id, 'level_high', 1, 'LIMIT', 'MAJOR', 'tank', 'ACTIVE', now(), now(), now(), 3, 85, 1,"
            " 'limit_high', %s FROM device d JOIN series s ON s.device_id = d.id AND s.sensor = 'level' "
            "WHERE d.serial = 'T-0000'",
            (BREACH, Jsonb({"serial": "T-0000"})),
        )
    with open_connection(api.settings.database_url, application="test") as conn:
        assign_gateway(conn, Actor(MANAGER, "", "device.register"), "T-0000", "gw-9")
    shelf = {"reason": "ward is rebuilt", "until": (datetime.now(UTC) + timedelta(days=30)).isoformat()}
    assert api.post("/devices/T-0000/shelvings", headers=people[MANAGER], json=shelf).status_code == 201
    assert api.post(f"/breaches/{BREACH}/acknowledge", headers=people[DISPATCHER]).status_code == 200
    promise(api, people[MANAGER])
    body = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks."}
    made = api.post("/work-orders", headers=people[DISPATCHER], json=body)
    code, etag = made.json()["code"], made.headers["etag"]
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO work_order_breach (work_order_id, breach_id) SELECT id, %s FROM work_order WHERE code = %s",
            (BREACH, code),
        )
    api.post(f"/work-orders/{code}/notes", headers=people[DISPATCHER], json={"body": f"Ask {CONTACT}."})
    steps: list[tuple[str, dict[str, Any]]] = [
        (DISPATCHER, {"to": "TRIAGED"}),
        (DISPATCHER, {"to": "ASSIGNED", "assignee": TECHNICIAN}),
        (TECHNICIAN, {"to": "IN_PROGRESS"}),
        (TECHNICIAN, {"to": "WORK_DONE", "close_out": CLOSE_OUT, "outcome": "CONFIRMED"}),
        (MANAGER, {"to": "VERIFIED", "test_evidence": "Ran for an hour."}),
        (MANAGER, {"to": "CLOSED", "password": PASSWORD, "meaning": "Reviewed and closed"}),
    ]
    for who, step in steps:
        taken = api.post(f"/work-orders/{code}/transitions", headers={**people[who], "If-Match": etag}, json=step)
        assert taken.status_code == 200, taken.text
        etag = taken.headers["etag"]
    return Clinic(api, code, api.sign_in("visitor"))


def promise(api: Api, manager: dict[str, str]) -> None:
    """A calendar for the customer's sites and a policy for its contract, both made by that manager."""
    weekly = {"monday": ["08:00-17:00"]}
    assert api.post(
        "/service-calendars", headers=manager, json={"code": "office", "name": "Office", "weekly": weekly}
    ).is_success
    terms = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
    assert api.post("/sla-policies", headers=manager, json={"code": "gold", "name": "Gold", "terms": terms}).is_success
    with psycopg.connect(api.settings.database_url) as conn:
        row = conn.execute(
            "INSERT INTO service_contract (code, customer_id, starts_on, ends_on)"
            " SELECT 'K-1', id, '2020-01-01', '2099-01-01' FROM customer WHERE code = 'T-C0' RETURNING ("
            " SELECT s.code FROM site s WHERE s.customer_id = service_contract.customer_id ORDER BY s.id LIMIT 1)"
        ).fetchone()
    assert row is not None
    for path, body in (
        (f"/sites/{row[0]}/service-calendar", {"service_calendar": "office"}),
        ("/contracts/K-1/sla-policy", {"sla_policy": "gold"}),
    ):
        version = api.get(path, headers=manager).headers["etag"]
        given = api.request("PUT", path, headers={**manager, "If-Match": version}, json=body)
        assert given.status_code == 200, given.text
