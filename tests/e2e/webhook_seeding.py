"""Webhooks for pages and pictures: one that works, one that answers badly, one that is gone."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from domain.audit import Actor
from domain.webhook import EndpointState, StateCause
from domain.webhook_schedule import AttemptResult, find_next_attempt
from domain.webhook_signature import make_secret
from store.outbox import OutboxEvent, record_events
from store.pool import Connection, open_connection
from store.webhook_deliveries import (
    Claim,
    claim_deliveries,
    load_due_endpoints,
    record_result,
    record_test,
)
from store.webhook_lists import DeliveryFilter, load_deliveries
from store.webhook_planning import plan_deliveries
from store.webhook_secrets import seal_secret
from store.webhooks import EndpointDraft, move_endpoint, record_endpoint, reserve_code
from tests.e2e.seeding import SERIALS

ADMIN = Actor("ada", "admin", "webhook.manage")
ENDPOINTS = (
    ("ERP", "https://erp.riverbank.example/hooks/forewarn?tenant=7", (), ""),
    ("Ticket desk", "https://desk.example.org/in", ("workorder.opened", "workorder.closed", "sla.breached"), ""),
    ("Riverbank CMMS", "https://cmms.riverbank.example/events", ("workorder.opened",), "C-RUIJIN"),
)
TOLD = (
    (SERIALS[0], "breach", "b-1", "breach.opened"),
    (SERIALS[0], "work_order", "WO-1", "workorder.opened"),
    (SERIALS[1], "work_order", "WO-2", "workorder.opened"),
    (SERIALS[1], "work_order", "WO-2", "workorder.closed"),
    ("CAPA-2026-000001", "capa", "CAPA-2026-000001", "capa.proposed"),
)
REFUSED = '{"error": "maintenance window, come back at 22:00"}'


def seed_webhooks(url: str, now: datetime) -> dict[str, str]:
    """The pages that show them: the list, and the endpoint that answers badly with an event that was given up."""
    with TemporaryDirectory() as folder, open_connection(url, application="seed", autocommit=True) as conn:
        codes = [_make(conn, Path(folder) / "key", now - timedelta(days=40), *about) for about in ENDPOINTS]
        for serial, entity, entity_id, kind in TOLD:
            data = {"code": entity_id, "serial": serial, "priority": "P2"}
            record_events(conn, OutboxEvent(kind, serial, entity, entity_id, now, data, False))
        ids = {code: row[0] for code in codes for row in conn.execute(FIND_ID, (code,)).fetchall()}
        record_test(conn, ADMIN, ids[codes[0]], codes[0], now=now)
        (later,) = conn.execute("SELECT now()").fetchone() or (now,)
        plan_deliveries(conn, later)
        for _ in range(2):
            due = dict.fromkeys(load_due_endpoints(conn, later), 20)
            for claim in claim_deliveries(conn, due, later, timedelta(minutes=1)):
                if claim.endpoint == codes[1]:
                    _fail(conn, claim, now, later, gives_up=claim.body["data"].get("code") == "WO-1")
                else:
                    record_result(conn, claim, AttemptResult(now, 84, 204, address="203.0.113.7"), None)
        with conn.transaction():
            move_endpoint(
                conn, ADMIN, codes[2], EndpointState.DISABLED, "gone", expected=None, now=now, cause=StateCause.GONE
            )
        (dead,) = load_deliveries(conn, DeliveryFilter(None, webhook=codes[1], state="DEAD"), limit=2)
    return {"webhooks": "/admin/webhooks", "webhook": f"/admin/webhooks/{codes[1]}?delivery={dead.id}"}


FIND_ID = "SELECT id FROM webhook_endpoint WHERE code = %s"


def _make(conn: Connection, key: Path, at: datetime, name: str, url: str, types: tuple[str, ...], customer: str) -> str:
    code = reserve_code(conn, at)
    row = conn.execute("SELECT id FROM customer WHERE code = %s", (customer,)).fetchone()
    draft = EndpointDraft(name, url, types, None if row is None else row[0], 0)
    sealed = seal_secret(key, code, make_secret(b"s" * 32))
    return record_endpoint(conn, ADMIN, code, draft, sealed, now=at).code


def _fail(conn: Connection, claim: Claim, now: datetime, claimed_at: datetime, *, gives_up: bool) -> None:
    """Two refusals, the second of them the last where it is given up."""
    refused = AttemptResult(now, 97, 503, "status", address="203.0.113.9", response=REFUSED)
    if gives_up:
        record_result(conn, claim, replace(refused, at=now - timedelta(days=1)), now)
        (again,) = claim_deliveries(conn, {claim.endpoint_id: 1}, claimed_at, timedelta(minutes=1))
        late = AttemptResult(now, 15_002, error="timeout", detail="no answer within 15 s", address="203.0.113.9")
        record_result(conn, again, late, None)
        return
    record_result(conn, claim, refused, find_next_attempt(3, now, spread=0.0))
