"""Names of people, role by field: on single records, in lists, in filters and searches, and on every page at all."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from api.app import find_permission
from domain.masking import PERSONAL_FIELDS, is_shown
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from tests.support.clinic import BREACH, MARK, TECHNICIAN, Clinic, make_clinic
from tests.support.console_pages import hide_tokens
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import running_api

CODES = {"calendars": "office", "policies": "gold", "contracts": "K-1", "customers": "T-C0"}

ELSEWHERE = ("complaint.", "communication.", "visit.", "part_usage.", "attachment.")


@pytest.fixture(scope="module")
def clinic(postgres_server: DatabaseServer) -> Iterator[Clinic]:
    """One for all: nothing here changes a record."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            yield make_clinic(api)


def find_shown(clinic: Clinic, headers: dict[str, str]) -> dict[str, Any]:
    """Every field that names people, as this caller reads it; absent: he does not read such records at all."""
    api, found = clinic.api, dict[str, Any]()

    def read(path: str) -> Any:
        answer = api.get(path, headers=headers)
        return answer.json() if answer.status_code == 200 else None

    if (customer := read("/customers/T-C0")) is not None:
        found["customer.contacts"] = customer["contacts"]
    if (order := read(f"/work-orders/{clinic.order}")) is not None:
        for name in ("assignee", "assignee_name", "created_by", "timeline", "decisions", "signatures"):
            found[f"work_order.{name}"] = order[name]
        for name in ("serviced_by", "done_by", "done_by_id"):
            found[f"work_order.{name}"] = order["close_out"].get(name)
    if (breach := read(f"/breaches/{BREACH}")) is not None:
        found["breach.acknowledged_by"] = breach["acknowledged_by"]
    if (shelvings := read("/devices/T-0000/shelvings")) is not None:
        found["shelving.shelved_by"] = shelvings["items"][0]["shelved_by"]
    if (history := read("/devices/T-0000/history")) is not None:
        found["device_history.source"] = MARK.search(history["items"][0]["source"])
    if (calendar := read("/service-calendars/office")) is not None:
        found["service_calendar.made_by"] = calendar["made_by"]
    if (policy := read("/sla-policies/gold")) is not None:
        found["sla_policy.made_by"] = policy["made_by"]
    if (versions := read("/device-models/TEST-100/versions")) is not None:
        found["profile_version.applied_by"] = versions["items"][0]["applied_by"]
    if (audit := read("/audit")) is not None:
        found["audit.actor"] = audit["items"][0]["actor"]
    return found


def test_every_role_at_every_field_that_names_people(clinic: Clinic) -> None:
    # No machine decided on an order that a person opened; complaints, field actions and records of orders have tests of
    # their own.
    elsewhere = {key for key in PERSONAL_FIELDS if key.startswith(ELSEWHERE)}
    elsewhere.add("work_order.decisions")
    seen = set()
    for role in Role:
        headers = clinic.api.token(role, customer="T-C0" if role is Role.CUSTOMER else None)
        for key, value in find_shown(clinic, headers).items():
            if key not in elsewhere:
                record, _, field = key.partition(".")
                assert bool(value) == is_shown(record, field, ROLE_PERMISSIONS[role]), f"{role} {key}: {value}"
                seen.add(key)
    assert seen == PERSONAL_FIELDS.keys() - elsewhere


def test_what_is_masked_is_neither_filtered_by_nor_found(clinic: Clinic) -> None:
    customer = clinic.api.token(Role.CUSTOMER, customer="T-C0")
    for name in (TECHNICIAN, "somebody"):
        refused = clinic.api.get(f"/work-orders?assignee={name}", headers=customer)
        assert (refused.status_code, refused.json()["permission"]) == (403, "staff.read")
    for role in (Role.CUSTOMER, Role.QUALITY_ENGINEER):
        headers = clinic.api.token(role, customer="T-C0" if role is Role.CUSTOMER else None)
        for path in ("/work-orders", "/devices", "/customers"):
            for word in ("zq", "Zelda", "lindqvist"):
                assert clinic.api.get(f"{path}?q={word}", headers=headers).json()["items"] == [], (
                    f"{role} {path} {word}"
                )
    engineer = clinic.api.token(Role.ENGINEER)
    assert len(clinic.api.get(f"/work-orders?assignee={TECHNICIAN}", headers=engineer).json()["items"]) == 1


def test_no_answer_at_all_tells_a_customers_user_a_name(clinic: Clinic) -> None:
    rights = ROLE_PERMISSIONS[Role.CUSTOMER]
    token = clinic.api.token(Role.CUSTOMER, customer="T-C0")
    values, read = clinic.find_values(), 0
    for route in iter_route_contexts(clinic.api.app.routes):
        permission, path = find_permission(route), route.path or ""
        if permission is None or Permission(permission) not in rights or "GET" not in (route.methods or ()):
            continue
        if path.endswith("/stream"):
            continue
        values["code"] = next((code for word, code in CODES.items() if word in path), clinic.order)
        address = re.sub(r"\{(\w+)(:\w+)?\}", lambda m: values.get(m[1], "nobody"), path)
        query = "?sensor=level" if path.endswith(("/readings", "/scores")) else ""
        headers = token if path.startswith("/api/") else clinic.visitor.reading
        answer = clinic.api.client.get(address + query, headers=headers)
        assert answer.status_code < 500, f"{address}: {answer.status_code}"
        read += answer.status_code == 200
        text = hide_tokens(answer.text)
        found = MARK.search(text)
        around = text[max(0, found.start() - 80) : found.end() + 40] if found else ""
        assert not found, f"{address}: {around}"
    assert read > 15
