"""A world in which every address of the API has a record to meet, for tests of all routes by all roles."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from domain.audit import Actor
from domain.model_record import ModelKind, describe_profile
from domain.monitor_quality import Threshold
from domain.profile_json import profile_to_json
from domain.roles import Role
from service_link.plans import keep_plans
from store.model_jobs import open_job
from store.models import NewModel, record_model
from store.pool import Connection, open_connection
from store.profiles import load_profile, record_profile
from store.threshold_proposals import propose_threshold
from tests.e2e.seeding import CUSTOMERS, SERIALS, seed
from tests.support.databases import Database
from tests.support.http_api import PASSWORD, Api, Session, running_api

MODEL = "INF-200"
CUSTOMER = CUSTOMERS[0][0]
# Ids of tokens that callers hold: nothing that is generated finds one of them and revokes it.
FIRST_CALLER_TOKEN = 1_700_000_003
SIGNED = {"password": PASSWORD, "meaning": "Reviewed"}
WHYS = [{"statement": text} for text in ("the motor wears", "the bearing runs dry", "the grease was changed")]
CAUSE = {"category": "MATERIAL", "verdict": "ROOT", "statement": "Dry grease", "whys": WHYS}
TEMPLATE = {
    "code": "repair",
    "kind": "CORRECTIVE",
    "model": MODEL,
    "title": {"en": "Repair", "zh": "维修"},
    "items": [
        {"key": "leak", "kind": "check", "text": {"en": "No leak", "zh": "无泄漏"}},
        {"key": "flow", "kind": "number", "text": {"en": "Flow", "zh": "流量"}, "low": 9.8, "high": 10.2},
    ],
}
COMPLAINT = {
    "severity": "MAJOR",
    "details": "The pump stopped during an infusion.",
    "serial": SERIALS[3],
    "fault_group": "motor_drive",
    "reporter_name": "Nora Nurse",
    "external_refs": [{"system": "helpdesk", "type": "ticket", "id": "4711"}],
}
PLAN = {
    "name": "Yearly check",
    "order_type": "PREVENTIVE",
    "kind": "CALENDAR",
    "model": MODEL,
    "every_count": 1,
    "every_unit": "YEAR",
    "lead_days": 30,
}
EXPORT = {
    "kind": "identifiable_export",
    "entity_id": "customers",
    "payload": {"format": "csv", "filter": {}, "columns": ["code", "contacts"]},
    "reason": "recall letters",
}


@dataclass
class ApiWorld:
    """Records of every noun. `values` are those of the parameters of paths, by what stands before the parameter."""

    api: Api
    everyone: Session  # who has every role but a customer's
    values: dict[str, list[str | int]] = field(default_factory=dict)

    def find_sources(self, path: str) -> dict[str, str]:
        """Under which name `values` has each parameter of that path of the document."""
        found = {}
        parts = path.split("/")
        for before, part in pairwise(parts):
            if part.startswith("{"):
                name = part.strip("{}")
                found[name] = name if before.startswith("{") else before
                assert found[name] in self.values, f"SOURCES of {__name__} has nothing for {part} of {path}"
        return found

    def send(self, method: str, path: str, body: Any = None, *, by: Session | None = None, **query: str) -> Any:
        """The answer's document; the change is made at the newest version of its record."""
        headers = dict((by or self.everyone).writing)
        record = path
        for part in ("/transitions", "/scope", "/halt", "/assessment/decision", "/assessment", "/merges"):
            record = record.removesuffix(part)
        if method != "GET":
            headers["If-Match"] = self.api.get(record, headers=headers).headers.get("etag", '"0"')
        arguments: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = self.api.request(
            method, path, headers=headers, params=query, **(arguments if body is not None else {})
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else None


@contextmanager
def open_api_world(database: Database, attachments: Path) -> Iterator[ApiWorld]:
    """The API over a service that has at least one record of every noun."""
    seeded = seed(database.url)
    with running_api(database.url, attachments=attachments, webhook_key_file=attachments.with_suffix(".key")) as api:
        roles = [role for role in Role if role is not Role.CUSTOMER]
        api.add_user("everyone", *roles)
        for name in ("everyone-else", "author"):
            api.add_user(name, *roles)
        world = ApiWorld(api, api.sign_in("everyone"))
        other = api.sign_in("everyone-else")
        _write_service(world)
        _write_orders(world, seeded.orders)
        _write_quality(world, other, seeded.capas[0])
        _write_field_action(world, other, api.sign_in("author"))
        _write_accounts(world)
        _write_webhooks(world)
        with open_connection(database.url, application="test", autocommit=True) as conn:
            _write_models(conn, datetime.now(UTC))
            keep_plans(conn, datetime.now(UTC))
            world.values = _load_values(conn)
        with psycopg.connect(database.owner_url) as owner:
            owner.execute(f"ALTER TABLE api_token ALTER COLUMN id RESTART WITH {FIRST_CALLER_TOKEN}")
        yield world


def _write_service(world: ApiWorld) -> None:
    weekly = {"monday": ["08:00-17:00"]}
    terms = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
    world.send("POST", "/service-calendars", {"code": "office", "name": "Office", "weekly": weekly})
    world.send("POST", "/sla-policies", {"code": "silver", "name": "Silver", "terms": terms})
    world.send("POST", "/checklist-templates", TEMPLATE)
    with psycopg.connect(world.api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO service_contract (code, customer_id, starts_on, ends_on)"
            " SELECT 'K-1', id, '2020-01-01', '2099-01-01' FROM customer WHERE code = %s",
            (CUSTOMER,),
        )
    world.send("PUT", f"/technician-certificates/everyone/{MODEL}", {"valid_until": "2099-01-01"})
    world.send("POST", "/maintenance-plans", PLAN)
    world.send("POST", "/lab/runs", {"model": MODEL, "fault": "occlusion"})
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    world.send("POST", f"/devices/{SERIALS[0]}/shelvings", {"reason": "rebuilt", "until": until})


def _write_orders(world: ApiWorld, orders: list[str]) -> None:
    """One order that is under way, with records of every kind; the others wait for somebody."""
    path = f"/work-orders/{orders[0]}"
    for step in ({"to": "TRIAGED"}, {"to": "ASSIGNED", "assignee": "everyone"}, {"to": "IN_PROGRESS"}):
        world.send("POST", f"{path}/transitions", step)
    world.send("POST", f"{path}/visits", {"note": "key at the gate"})
    world.send("POST", f"{path}/parts", {"item": "MOT-1", "quantity": "2"})
    world.send("POST", f"{path}/notes", {"body": "Ask the ward."})
    world.send("POST", f"{path}/attachments", b"%PDF-1.4 report", kind="SERVICE_REPORT", file_name="report.pdf")
    world.send("POST", "/complaints", COMPLAINT)
    world.send("POST", "/complaints", {**COMPLAINT, "external_refs": [], "severity": "MINOR"})
    code = world.api.get("/complaints?limit=1", headers=world.everyone.reading).json()["items"][0]["code"]
    assessment = {
        "aware_at": "2026-01-01T00:00:00Z",
        "harm": "NONE",
        "reason": "As reported.",
        "jurisdictions": ["EU", "US", "CN"],
    }
    world.send("POST", f"/complaints/{code}/assessment", assessment)


def _write_quality(world: ApiWorld, other: Session, code: str) -> None:
    path = f"/capas/{code}"
    world.send("POST", f"{path}/transitions", {"to": "OPEN", "reason": "as seen", **SIGNED}, by=other)
    world.send("POST", f"{path}/transitions", {"to": "INVESTIGATION", "reason": "begun"})
    world.send("PUT", f"{path}/root-cause", {"problem": "Motors wear out", "causes": [CAUSE]})
    world.send("POST", f"{path}/actions", {"kind": "CORRECTION", "text": "Replace the motors"})
    world.send("POST", "/approval-requests", {**EXPORT, **SIGNED})
    world.send("POST", "/exports", {"list": "devices", "columns": ["serial"]})


def _write_field_action(world: ApiWorld, other: Session, author: Session) -> None:
    firmware = {"model": MODEL, "version": "9.0.0", "sha256": "cd" * 32}
    world.send("POST", "/firmware", firmware)
    world.send("POST", "/firmware", {**firmware, "version": "9.1.0"})
    for number in range(2):
        draft = {"kind": "RECALL", "title": f"Leak {number}", "model": MODEL}
        made = world.send("POST", "/field-actions", draft, by=author)
        path = f"/field-actions/{made['code']}"
        world.send("PUT", f"{path}/scope", {"serials": list(SERIALS[:3])}, by=author)
    for by in (world.everyone, other):
        world.send("POST", f"{path}/transitions", {"to": "APPROVED", **SIGNED}, by=by)
    world.send("POST", f"{path}/transitions", {"to": "NOTIFYING"})
    said = {"channel": "LETTER", "result": "SENT", "customer": CUSTOMER, "text": "Please stop using it."}
    world.send("POST", f"{path}/communications", said)


def _write_accounts(world: ApiWorld) -> None:
    """People, tokens and views that a generated request may change as it likes."""
    for number in range(3):
        view = {"page": "work-orders", "name": f"Shift {number}", "query": "priority=P1", "is_default": number == 0}
        world.send("POST", "/account/views", view)
    for name in ("victim", "visitor"):
        world.api.add_user(name, Role.AUDITOR if name == "victim" else Role.CUSTOMER, customer=CUSTOMER)
    for _ in range(3):
        world.api.token(Role.AUDITOR)


def _write_webhooks(world: ApiWorld) -> None:
    """Endpoints of each kind, and what is to be delivered to them."""
    made = {"name": "ERP", "url": "https://erp.example.com/hooks?key=1", "event_types": ["workorder.opened"]}
    for customer in (None, CUSTOMER):
        code = world.send("POST", "/webhooks", {**made, "customer": customer})["webhook"]["code"]
        for _ in range(2):
            world.send("POST", f"/webhooks/{code}/test")


def _write_models(conn: Connection, now: datetime) -> None:
    earlier = load_profile(conn, MODEL)
    assert earlier is not None
    tickets = replace(earlier.tickets, quiet_h=earlier.tickets.quiet_h + 1)
    profile = replace(earlier, version=earlier.version + 1, tickets=tickets)
    record_profile(
        conn, profile, "eva", actor=Actor("eva", "engineer", "profile.write"), reason="quiet pumps spoke again"
    )
    *_, monitor = (m for m in profile.monitors if m.raise_at is not None)  # the first one has a proposal
    assert monitor.raise_at is not None
    machine = Actor("service-link", "", "")
    found = Threshold(monitor.raise_at + 2, monitor.raise_at + 1, 3, 1, 3, (1.0,), (2.0,))
    assert propose_threshold(conn, machine, profile, monitor, found, {"in_vain": 3}, now) is not None
    description = describe_profile(profile_to_json(profile), profile.version)
    new = NewModel(ModelKind.PROFILE, MODEL, "", description, b"", "ab" * 32, {})
    model = record_model(conn, Actor("eva", "engineer", "profile.write"), new, now)
    open_job(conn, "backtest", {"model": MODEL}, "eva", model.id)


# What stands before a parameter in an address (or, behind another parameter, its name), and where its values stand.
SOURCES: tuple[tuple[str, str], ...] = (
    ("customers", "SELECT code FROM customer"),
    ("devices", "SELECT serial FROM device"),
    ("sites", "SELECT code FROM site"),
    ("contracts", "SELECT code FROM service_contract"),
    ("device-models", "SELECT key FROM device_model"),
    ("versions", "SELECT DISTINCT version FROM device_model_profile"),
    ("breaches", "SELECT id::text FROM breach"),
    ("monitors", "SELECT key FROM device_model"),
    ("threshold-proposals", "SELECT code FROM threshold_proposal"),
    ("models", "SELECT code FROM model_record"),
    ("model-jobs", "SELECT id FROM model_job"),
    ("runs", "SELECT code FROM lab_run"),
    ("work-orders", "SELECT code FROM work_order"),
    ("visits", "SELECT id FROM work_order_visit"),
    ("parts", "SELECT id FROM part_usage"),
    ("attachments", "SELECT id FROM attachment"),
    ("checklists", "SELECT id FROM work_order_checklist"),
    ("checklist-templates", "SELECT code FROM checklist_template"),
    ("technicians", "SELECT 'tom'"),
    ("technician-certificates", "SELECT unnest(ARRAY['tom', 'li'])"),
    ("service-calendars", "SELECT code FROM service_calendar"),
    ("sla-policies", "SELECT code FROM sla_policy"),
    ("capas", "SELECT code FROM capa"),
    ("actions", "SELECT number FROM capa_action"),
    ("complaints", "SELECT code FROM complaint"),
    ("maintenance-plans", "SELECT code FROM maintenance_plan"),
    ("firmware", "SELECT key FROM device_model"),
    ("field-actions", "SELECT code FROM field_action"),
    ("items", "SELECT d.serial FROM field_action_item i JOIN device d ON d.id = i.device_id"),
    ("rejections", "SELECT id FROM rejection"),
    ("approval-requests", "SELECT code FROM approval_request"),
    ("exports", "SELECT code FROM export_log"),
    ("users", "SELECT unnest(ARRAY['victim', 'visitor'])"),
    ("tokens", "SELECT id FROM api_token"),
    ("webhooks", "SELECT code FROM webhook_endpoint"),
    ("deliveries", "SELECT id FROM webhook_delivery"),
    ("views", "SELECT id FROM saved_view"),
    ("sessions", "SELECT count(*) + 1 FROM app_session"),  # of nobody yet: that of the caller must go on
    ("model", "SELECT key FROM device_model"),
    ("monitor", "SELECT DISTINCT monitor FROM breach"),
    ("by-ref", "SELECT unnest(ARRAY['forewarn', 'erp'])"),
    (
        "record_id",
        "SELECT code FROM customer UNION ALL SELECT code FROM site UNION ALL SELECT serial FROM device"
        " UNION ALL SELECT code FROM service_contract UNION ALL SELECT key FROM device_model",
    ),
    ("version", "SELECT version FROM firmware_record"),
)


def _load_values(conn: Connection) -> dict[str, list[str | int]]:
    found: dict[str, list[str | int]] = {}
    for prefix, query in SOURCES:
        rows = conn.execute(query.encode()).fetchall()
        assert rows, f"no record for {prefix}"
        found[prefix] = sorted({row[0] for row in rows})
    return found
