"""Every route asks for a permission, every role gets exactly what its table says, and a customer sees its own alone."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app, find_permission, verify_routes_guarded
from api.public_routes import PUBLIC_ROUTES
from api.settings import ApiSettings
from api.versioned_router import PREFIX
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from tests.support.http_api import Api

SETTINGS = ApiSettings(database_url="postgresql://nobody@127.0.0.1:1/none")
# Enough of a body for each change to get past its shape; what it names does not exist.
BODIES = {
    "/account/password": {"current": "x", "new": "y"},
    "/account/second-factor": {"password": "x"},
    "/account/second-factor/confirmation": {"code": "x"},
    "/account/second-factor/recovery-codes": {"password": "x"},
    "/account/second-factor/removal": {"password": "x"},
    "/users/{name}/sessions/end": {"reason": "test"},
    "/users/{name}/second-factor/removal": {"reason": "test"},
    "/users/{name}/identity/removal": {"reason": "test"},
    "/devices": {"serial": "NEW-1", "model": "no such model"},
    "/devices/{serial}/credentials": {},
    "/devices/{serial}/claim-code": {},
    "/devices/{serial}/shelvings": {"reason": "test", "until": "2099-01-01T00:00:00Z"},
    "/work-orders": {"serial": "nobody", "fault_group": "tank", "description": "test"},
    "/work-orders/{code}/transitions": {"to": "TRIAGED"},
    "/work-orders/{code}/notes": {"body": "test"},
    "/work-orders/transitions": {"codes": ["nobody"], "to": "TRIAGED"},
    "/work-orders/{code}/merges": {"order": "nobody", "reason": "test"},
    "/work-orders/{code}/visits": {},
    "/work-orders/{code}/visits/{visit_id}/departure": {"outcome": "COMPLETED"},
    "/work-orders/{code}/parts": {"item": "test"},
    "/work-orders/{code}/parts/{part_id}/outcome": {"to": "WITHDRAWN"},
    "/work-orders/{code}/checklists/{checklist_id}/answers": {"answers": [{"item": "test", "value": True}]},
    "/checklist-templates": {"code": "x", "kind": "RECALL", "title": {}, "items": []},
    "/checklist-templates/{code}": {"title": {}, "items": []},
    "/technicians/{name}/regions": {"regions": []},
    "/technician-certificates/{user}/{model}": {"valid_until": "2099-01-01"},
    "/capas": {"model": "no such model", "fault_group": "tank", "reason": "test"},
    "/capas/{code}/transitions": {"to": "OPEN", "reason": "test"},
    "/capas/{code}/root-cause": {"problem": "test", "causes": []},
    "/capas/{code}/actions": {"kind": "CORRECTION", "text": "test"},
    "/capas/{code}/actions/{number}": {"kind": "CORRECTION", "text": "test"},
    "/capas/{code}/actions/{number}/transitions": {"to": "DONE"},
    "/capas/{code}/effectiveness": {"metric": "BREACH_RATE", "limit_kind": "RATE", "limit": 1, "period_days": 30},
    "/complaints": {"severity": "MINOR", "details": "test", "serial": "nobody"},
    "/complaints/{code}": {"reason": "test"},
    "/complaints/{code}/transitions": {"to": "INVESTIGATION"},
    "/complaints/{code}/assessment": {"aware_at": "2026-01-01T00:00:00Z", "harm": "NONE", "jurisdictions": ["EU"]},
    "/complaints/{code}/assessment/decision": {"decision": "NOT_REPORTABLE"},
    "/complaints/{code}/assessment/submissions": {"jurisdiction": "EU", "submitted_at": "2026-01-01T00:00:00Z"},
    "/maintenance-plans": {"name": "x", "order_type": "PREVENTIVE", "kind": "CALENDAR", "model": "no such model"},
    "/maintenance-plans/{code}/transitions": {"to": "ENDED"},
    "/threshold-proposals/{code}/transitions": {"to": "REJECTED", "reason": "test"},
    "/customers/by-ref/{system}/{record_id}": {"code": "not a code"},
    "/sites/by-ref/{system}/{record_id}": {"customer": "nobody"},
    "/contracts/by-ref/{system}/{record_id}": {"customer": "nobody"},
    "/devices/by-ref/{system}/{record_id}": {"model": "no such model"},
    "/device-models/by-ref/{system}/{record_id}": {"model": "no such model"},
    "/contracts/{code}/transitions": {"to": "ACTIVE"},
    "/devices/{serial}/transitions": {"to": "INSTALLED"},
    "/firmware": {"model": "no such model", "version": "1", "sha256": "0" * 64},
    "/firmware/{model}/{version}": {"sha256": "0" * 64},
    "/firmware/{model}/{version}/transitions": {"to": "APPROVED"},
    "/field-actions": {"kind": "RECALL", "title": "test", "model": "no such model"},
    "/field-actions/scope-preview": {"model": "no such model"},
    "/field-actions/{code}": {"kind": "RECALL", "title": "test", "model": "no such model"},
    "/field-actions/{code}/scope": {},
    "/field-actions/{code}/transitions": {"to": "APPROVED"},
    "/field-actions/{code}/halt": {"reason": "test"},
    "/field-actions/{code}/resumption": {"reason": "test"},
    "/field-actions/{code}/waves": {},
    "/field-actions/{code}/items/{serial}/transitions": {"to": "NOTIFIED"},
    "/field-actions/{code}/communications": {"channel": "PHONE", "result": "REACHED", "serial": "nobody"},
    "/users": {"name": "x", "full_name": "X", "roles": ["customer"]},
    "/users/{name}": {"reason": "test"},
    "/users/{name}/password-reset": {"reason": "test"},
    "/tokens": {"name": "x", "role": "customer"},
    "/webhooks": {"name": "x", "url": "http://nowhere.example"},
    "/webhooks/{code}": {"name": "x", "url": "https://nowhere.example"},
    "/webhooks/{code}/transitions": {"to": "DISABLED"},
    "/webhooks/{code}/secret": {},
    "/webhooks/{code}/replays": {"since": "2026-01-01T00:00:00Z"},
    "/rejections/replay": {"reason": "unknown_serial"},
    "/models": {"model": "no such model"},
    "/models/{code}/transitions": {"step": "retire"},
    "/models/{code}/backtest": {},
    "/monitors/{model}/{monitor}/backtest": {"changes": {}},
    "/monitors/{model}/{monitor}/proposals": {"changes": {}},
}
VALUES = {
    "breach_id": "00000000-0000-0000-0000-000000000000",
    "rejection_id": "1",
    "token_id": "1",
    "visit_id": "1",
    "part_id": "1",
    "checklist_id": "1",
    "attachment_id": "1",
    "job_id": "1",
    "delivery_id": "1",
    "number": "1",
}
QUERIES = {"/devices/{serial}/readings": "?sensor=level", "/devices/{serial}/scores": "?sensor=level"}
QUERIES |= {"/rejections/reasons": "?from=2026-01-01T00:00:00Z"}


def find_operations() -> Iterator[tuple[str, str, Permission]]:
    for route in iter_route_contexts(create_app(SETTINGS).routes):
        path = route.path_format or ""
        permission = find_permission(route)
        if path.startswith(PREFIX) and permission is not None:
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, path.removeprefix(PREFIX), Permission(permission)


OPERATIONS = sorted(find_operations())
ENDLESS = "/events/stream"  # of those that may follow it, tests of its own ask


def test_an_unguarded_route_is_refused_at_start() -> None:
    app = create_app(SETTINGS)
    app.add_api_route("/api/v1/secret", lambda: "x")
    with pytest.raises(RuntimeError, match="GET /api/v1/secret"):
        verify_routes_guarded(app)


def test_public_routes_exist() -> None:
    found = set()
    for route in iter_route_contexts(create_app(SETTINGS).routes):
        found |= {(method, route.path) for method in getattr(route, "methods", None) or ()}
    assert {name for name in PUBLIC_ROUTES if name[0] != "MOUNT"} - found <= {("GET", "/favicon.ico")}


def call(api: Api, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    address = re.sub(r"\{(\w+)\}", lambda m: VALUES.get(m[1], "nobody"), path) + QUERIES.get(path, "")
    body = BODIES.get(path)
    if method != "GET":
        headers = {**headers, "If-Match": '"1"'}
    return api.request(method, address, headers=headers, **({} if body is None else {"json": body}))


def test_every_role_at_every_route(api: Api) -> None:
    assert len(OPERATIONS) > 35
    refused = allowed = 0
    for role in Role:
        headers = api.token(role, customer="T-C0" if role is Role.CUSTOMER else None)
        for method, path, permission in OPERATIONS:
            may = permission in ROLE_PERMISSIONS[role]
            if may and path == ENDLESS:
                continue
            answer = call(api, method, path, headers)
            name = f"{role} {method} {path}: {answer.status_code} {answer.text}"
            if may:
                assert answer.status_code not in (401, 403, 500), name
                allowed += 1
            else:
                assert answer.status_code == 403, name
                assert answer.json()["permission"] == permission, name
                refused += 1
    assert allowed > 100
    assert refused > 100


def test_nobody_gets_in_without_credentials(api: Api) -> None:
    for method, path, _ in OPERATIONS:
        assert call(api, method, path, {}).status_code == 401, f"{method} {path}"


def test_a_customer_sees_its_own_devices_alone(api: Api) -> None:
    headers = api.token(Role.CUSTOMER, customer="T-C0")
    items = api.get("/devices?total=true", headers=headers).json()
    assert [d["serial"] for d in items["items"]] == ["T-0000", "T-0002", "T-0004"]
    assert items["total"] == 3
    assert {d["customer"] for d in items["items"]} == {"T-C0"}
    for path in ("", "/history", "/readings?sensor=level", "/scores?sensor=level", "/shelvings"):
        assert api.get(f"/devices/T-0000{path}", headers=headers).status_code == 200
        theirs = api.get(f"/devices/T-0001{path}", headers=headers)
        missing = api.get(f"/devices/T-9999{path}", headers=headers)
        assert theirs.status_code == missing.status_code == 404
        assert theirs.json()["title"] == missing.json()["title"]
    assert [c["code"] for c in api.get("/customers?q=T-C", headers=headers).json()["items"]] == ["T-C0"]
    assert api.get("/customers/T-C1", headers=headers).status_code == 404
    assert api.get("/devices?customer=T-C1", headers=headers).json()["items"] == []


def test_a_customer_account_without_a_customer_opens_nothing(api: Api) -> None:
    response = api.get("/devices", headers=api.token(Role.CUSTOMER))
    assert response.status_code == 403
    assert "belongs to no customer" in response.json()["detail"]


def test_names_of_people_are_hidden_where_nobody_needs_them(api: Api) -> None:
    assert api.get("/customers/T-C0", headers=api.token(Role.QUALITY_ENGINEER)).json()["contacts"] is None
    assert api.get("/customers/T-C0", headers=api.token(Role.DISPATCHER)).json()["contacts"] == []
