"""Endpoints, events and deliveries of a test, with time as it wants it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.audit import Actor
from domain.webhook_address import read_networks
from domain.webhook_signature import make_secret
from service_link.settings import ServiceLinkSettings
from service_link.webhook_sender import WebhookSender
from service_link.webhooks import Courier, Crew, DeliveryStatus
from store.outbox import OutboxEvent, record_events
from store.pool import Connection, open_connection
from store.webhook_deliveries import claim_deliveries, load_due_endpoints
from store.webhook_lists import Attempt, Delivery, DeliveryFilter, load_attempts, load_deliveries
from store.webhook_planning import plan_deliveries
from store.webhook_secrets import seal_secret
from store.webhooks import Endpoint, EndpointDraft, record_endpoint, reserve_code
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import NETWORKS, Receiver

ADMIN = Actor("root", "admin", "webhook.manage", request_id="test")
# Where much else runs, what is done in milliseconds takes seconds: no fault of the receiver.
PATIENCE_S = 25.0


@dataclass
class Hooks:
    """One database with endpoints; `secrets` are theirs, by code."""

    conn: Connection
    settings: ServiceLinkSettings
    secrets: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def find_now(self) -> datetime:
        """The database's time, a moment ahead: what was written is due."""
        row = self.conn.execute("SELECT now()").fetchone()
        assert row is not None
        at: datetime = row[0]
        return at + timedelta(seconds=1)

    def add(self, url: str, *types: str, customer: str = "", delay_s: int = 0) -> Endpoint:
        """An enabled endpoint that was made a moment ago."""
        now = self.find_now() - timedelta(seconds=2)
        code = reserve_code(self.conn, now)
        self.made += 1
        self.secrets[code] = make_secret(bytes([self.made]) * 32)
        sealed = seal_secret(self.settings.webhook_key_file, code, self.secrets[code])
        found = self.conn.execute("SELECT id FROM customer WHERE code = %s", (customer,)).fetchone()
        draft = EndpointDraft(code, url, types, found[0] if found else None, delay_s)
        return record_endpoint(self.conn, ADMIN, code, draft, sealed, now=now)

    def add_receiver(self, receiver: Receiver, path: str = "/hook", *types: str, **more: Any) -> str:
        """The code of an endpoint of that receiver, which knows its secret."""
        endpoint = self.add(receiver.url(path), *types, **more)
        receiver.secrets[path] = self.secrets[endpoint.code]
        return endpoint.code

    def tell(self, entity_id: str, *types: str, serial: str = "", simulated: bool = False, **data: Any) -> None:
        """Events of one record, each in a transaction of its own."""
        for kind in types or ("breach.opened",):
            at = datetime.now(UTC)
            event = OutboxEvent(kind, serial or entity_id, "breach", entity_id, at, {"n": entity_id, **data}, simulated)
            with self.conn.transaction():
                record_events(self.conn, event)

    def states(self) -> list[tuple[str, str, int, int]]:
        """Record, state, tries of this round and attempts in all of every delivery, in order."""
        query = "SELECT entity_id, state, tries, attempts FROM webhook_delivery ORDER BY id"
        return [(str(r[0]), str(r[1]), int(r[2]), int(r[3])) for r in self.conn.execute(query).fetchall()]

    def find_delivery(self) -> Delivery:
        """The only one that there is."""
        (delivery,) = load_deliveries(self.conn, DeliveryFilter(None), limit=2)
        return delivery

    def find_attempts(self) -> list[Attempt]:
        """Those of the only delivery, the newest first."""
        return load_attempts(self.conn, self.find_delivery().id)

    def claim(self, now: datetime, room: int = 10, lease: timedelta = timedelta(minutes=1)) -> list[Any]:
        """What a process that asks now would send."""
        plan_deliveries(self.conn, now)
        return claim_deliveries(self.conn, dict.fromkeys(load_due_endpoints(self.conn, now), room), now, lease)

    def deliver(self, now: datetime | None = None, *, conn: Connection | None = None, workers: int = 4) -> None:
        """One process delivers all that is due at that time, and ends; however long it takes, it is that time."""
        at, sender = now or self.find_now(), self.make_sender()
        crew = Crew(lambda message: replace(sender.send(message), at=at), workers)
        courier = Courier(conn or self.conn, self.settings, crew, DeliveryStatus(), spread=lambda: 0.0)
        while courier.deliver_round(at) or crew.sending:
            if crew.sending:
                wait_until(lambda: courier.collect(at), what="an attempt")

    def make_sender(self) -> WebhookSender:
        """A sender by the settings."""
        return WebhookSender(read_networks(self.settings.webhook_networks), self.settings.webhook_timeout_s)


@contextmanager
def open_hooks(url: str, folder: Path) -> Iterator[Hooks]:
    """The database's endpoints, which may be on this machine."""
    settings = ServiceLinkSettings(
        database_url=url,
        webhook_key_file=folder / "webhooks.key",
        webhook_networks=NETWORKS,
        webhook_timeout_s=PATIENCE_S,
        webhook_poll_s=0.05,
        max_backoff_s=0.5,
        instance="test",
    )
    with open_connection(url, application="test", autocommit=True) as conn:
        yield Hooks(conn, settings)
