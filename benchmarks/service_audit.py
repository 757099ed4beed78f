"""A million events of the audit chain, each hashed over itself and the one before, loaded as one COPY."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.audit import GENESIS, find_event_hash
from store.pool import Connection

# jsonb as the server writes it: what is hashed is that text.
STEPS = (
    ("workorder.opened", "", '{"type": "CORRECTIVE", "state": "NEW"}', "service_link", "machine", "ticket_rules"),
    ("workorder.joined", '{"breach_count": 1}', '{"breach_count": 2}', "service_link", "machine", "ticket_rules"),
    ("workorder.triaged", '{"state": "NEW"}', '{"state": "TRIAGED"}', "mia", "dispatcher", "work_order.triage"),
    ("workorder.assigned", '{"state": "TRIAGED"}', '{"state": "ASSIGNED"}', "mia", "dispatcher", "work_order.assign"),
    ("workorder.started", '{"state": "ASSIGNED"}', '{"state": "IN_PROGRESS"}', "", "technician", "work_order.work"),
    ("workorder.held", '{"state": "IN_PROGRESS"}', '{"state": "ON_HOLD"}', "", "technician", "work_order.work"),
    ("workorder.resumed", '{"state": "ON_HOLD"}', '{"state": "IN_PROGRESS"}', "", "technician", "work_order.work"),
    ("workorder.done", '{"state": "IN_PROGRESS"}', '{"state": "WORK_DONE"}', "", "technician", "work_order.work"),
    ("workorder.verified", '{"state": "WORK_DONE"}', '{"state": "VERIFIED"}', "sam", "manager", "work_order.verify"),
    ("workorder.closed", '{"state": "VERIFIED"}', '{"state": "CLOSED"}', "sam", "manager", "work_order.close"),
)  # fmt: skip
COPY_EVENTS = """
    COPY audit_event (seq, at, actor, role, permission, action, entity, entity_id, before, after, reason, request_id,
        prev_hash, hash) FROM STDIN
"""
Row = tuple[int, datetime, str, str, str, str, str, str, str | None, str | None, str, str, str, str]


def find_events(now: datetime, events: int, orders: int) -> Iterator[Row]:
    """The first so many events of a chain, spread over the two years before `now`, ten of each order."""
    step = timedelta(days=730) / events
    begin = now - timedelta(days=730)
    prev_hash = GENESIS
    for n in range(events):
        seq, at = 1 + n, begin + n * step
        action, before, after, actor, role, permission = STEPS[n % len(STEPS)]
        actor = actor or f"tech-{1 + n // len(STEPS) % 200}"
        code = f"WO-2026-{1 + n // len(STEPS) % orders:06d}"
        texts = (actor, role, permission, action, "work_order", code, before or None, after, "", "bench")
        own = find_event_hash((str(seq), f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", *texts, prev_hash))
        yield (seq, at, *texts, prev_hash, own)
        prev_hash = own


def record_chain(conn: Connection, now: datetime, events: int, orders: int) -> None:
    """Begins an empty chain with so many events, as the owner of the tables; what comes later goes on from there."""
    last: Row | None = None
    conn.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_chain")  # the hashes are made here
    with conn.cursor() as cursor, cursor.copy(COPY_EVENTS) as copy:
        for row in find_events(now, events, orders):
            copy.write_row(row)
            last = row
    conn.execute("ALTER TABLE audit_event ENABLE TRIGGER audit_event_chain")
    assert last is not None
    conn.execute("UPDATE audit_head SET seq = %s, hash = %s, at = %s", (last[0], last[-1], last[1]))
