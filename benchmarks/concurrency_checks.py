"""What must be true after `benchmarks.concurrency`, whoever came first: the rules that no order of events may break."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from psycopg.rows import dict_row

from benchmarks.concurrency_people import Person
from service_link.batch_plan import MACHINE
from store.audit import verify_chain
from store.pool import Connection
from store.sla_mending import mend_clocks

# Each gives rows only where its rule is broken.
RULES = {
    "every transition has one decision": """
        SELECT t.id FROM breach_transition t WHERE NOT EXISTS (
            SELECT FROM ticket_decision y WHERE y.transition_id = t.id AND y.reason <> 'triage_failed')
    """,
    "one open order of a fault per key": """
        SELECT device_id, fault_group FROM work_order
        WHERE type IN ('CORRECTIVE', 'PREDICTIVE') AND state NOT IN ('CLOSED', 'CANCELLED')
        GROUP BY device_id, fault_group HAVING count(*) > 1
    """,
    "an order counts the breaches that are linked to it": """
        SELECT w.code FROM work_order w WHERE w.breach_count <>
            (SELECT count(*) FROM work_order_breach wb WHERE wb.work_order_id = w.id)
    """,
    "every breach belongs to an order": """
        SELECT b.id FROM breach b WHERE NOT EXISTS (SELECT FROM work_order_breach wb WHERE wb.breach_id = b.id)
    """,
    "a survivor has the breaches of what went up in it": """
        SELECT m.code FROM work_order m JOIN work_order_breach wb ON wb.work_order_id = m.id
        WHERE m.merged_into_id IS NOT NULL AND NOT EXISTS (SELECT FROM work_order_breach s
            WHERE s.work_order_id = surviving_order(m.id) AND s.breach_id = wb.breach_id)
    """,
    "an order is not quiet while a breach of it goes on": """
        SELECT w.code FROM work_order w WHERE w.state NOT IN ('CLOSED', 'CANCELLED') AND (w.quiet_since IS NULL) <> (
            w.breach_count = 0 OR EXISTS (SELECT FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
                WHERE wb.work_order_id = w.id AND b.state = 'ACTIVE'))
    """,
    "every version has started both clocks": """
        SELECT w.code FROM work_order w WHERE 2 * w.version <>
            (SELECT count(*) FROM sla_event e WHERE e.work_order_id = w.id AND e.kind = 'STARTED')
    """,
    "no clock of an order that is over goes on": """
        SELECT w.code FROM work_order w JOIN sla_clock k ON k.work_order_id = w.id AND k.version = w.version
        WHERE w.state IN ('CLOSED', 'CANCELLED') AND k.state IN ('RUNNING', 'PAUSED')
    """,
    "every transition was told once": """
        SELECT t.breach_id, t.kind, o.times FROM breach_transition t FULL JOIN (
            SELECT entity_id, type, count(*) AS times FROM outbox WHERE entity = 'breach' GROUP BY entity_id, type
        ) AS o ON o.entity_id = t.breach_id::text AND o.type = CASE t.kind WHEN 'RAISED' THEN 'breach.opened'
            WHEN 'ESCALATED' THEN 'breach.escalated' ELSE 'breach.cleared' END
        WHERE t.id IS NULL OR o.times IS DISTINCT FROM 1
    """,
}
COUNT_TOLD = "SELECT type, count(*)::integer FROM outbox WHERE entity = 'work_order' GROUP BY type"
COUNT_DECISIONS = "SELECT decision, count(*)::integer FROM ticket_decision GROUP BY decision"
LOAD_REQUESTS = "SELECT DISTINCT request_id FROM audit_event WHERE request_id LIKE 'person-%'"
# What the feed alone decides: see `load_state`.
LOAD_STATE = """
    SELECT d.serial, k.fault_group, k.breaches, k.counted, (
            SELECT count(DISTINCT s.id) FROM work_order o JOIN work_order s ON s.id = surviving_order(o.id)
            WHERE o.device_id = k.device_id AND o.fault_group = k.fault_group AND s.state NOT IN ('CLOSED', 'CANCELLED')
        ) > 0 AS is_taken_care_of
    FROM (
        SELECT b.device_id, b.fault_group, count(DISTINCT wb.breach_id) AS counted,
            array_agg(DISTINCT b.id::text || b.state || b.severity || t.steps) AS breaches
        FROM breach b JOIN work_order_breach wb ON wb.breach_id = b.id
        CROSS JOIN LATERAL (SELECT string_agg(x.kind, ',' ORDER BY x.at) AS steps FROM breach_transition x
            JOIN ticket_decision y ON y.transition_id = x.id WHERE x.breach_id = b.id) AS t
        GROUP BY b.device_id, b.fault_group
    ) AS k JOIN device d ON d.id = k.device_id ORDER BY d.serial, k.fault_group
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a run left behind that must be the same after every run of its seed."""

    sha256: str
    keys: int
    not_taken_care_of: int


def find_broken_rules(conn: Connection, people: Sequence[Person], now: datetime) -> list[str]:
    """What does not hold, each with the first records that show it; empty: all is well."""
    broken = []
    with conn.cursor(row_factory=dict_row) as cursor:
        for rule, query in RULES.items():
            rows = cursor.execute(query.encode()).fetchall()
            if rows:
                broken.append(f"{rule}: {len(rows)}, such as {rows[0]}")
    if mended := mend_clocks(conn, MACHINE, now):
        broken.append(f"clocks are what their events say: {mended[:3]}")
    if not (report := verify_chain(conn)).holds:
        broken.append(f"the audit chain holds: {report.problems[:3]}")
    return broken + _find_untold(conn, people) + _find_unaudited(conn, people)


def _find_untold(conn: Connection, people: Sequence[Person]) -> list[str]:
    """Other systems hear of every step once, of the machine's and of people's."""
    done: Counter[str] = Counter()
    for person in people:
        done += person.done
    decided: Counter[str] = Counter(dict(conn.execute(COUNT_DECISIONS).fetchall()))
    expected = {
        "workorder.opened": decided["OPENED"] + done["report:OPENED"],
        "workorder.joined": decided["JOINED"] + done["report:JOINED"] + done["merge"],
        "workorder.reopened": decided["REOPENED"] + done["report:REOPENED"] + done["step:REOPENED"],
        "workorder.assigned": done["step:ASSIGNED"],
        "workorder.held": done["step:ON_HOLD"],
        "workorder.done": done["step:WORK_DONE"],
        "workorder.closed": done["step:CLOSED"] + done["merge"],
    }
    told: dict[str, int] = dict(conn.execute(COUNT_TOLD).fetchall())
    return [
        f"{type_} was told {told.get(type_, 0)} times for {number} steps"
        for type_, number in expected.items()
        if told.get(type_, 0) != number
    ]


def _find_unaudited(conn: Connection, people: Sequence[Person]) -> list[str]:
    """What a person did is in the audit; what was refused or rolled back is not."""
    done = set().union(*(person.requests for person in people))
    audited = {request_id for (request_id,) in conn.execute(LOAD_REQUESTS)}
    return [] if done == audited else [f"acts and audit differ: {sorted(done ^ audited)[:5]}"]


def load_state(conn: Connection) -> State:
    """The state of every key as the feed alone decides it, whatever people did meanwhile: its breaches with their ends
    and severities, each transition decided, all of them counted by an order, and an open order that takes care of it.
    """
    rows = conn.execute(LOAD_STATE).fetchall()
    digest = hashlib.sha256(orjson.dumps(rows)).hexdigest()
    return State(digest, len(rows), sum(not row[-1] for row in rows))
