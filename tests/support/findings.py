"""What an installation has found and done, in terms that do not depend on when it ran: for comparing two runs."""

from dataclasses import dataclass
from typing import Any

from tests.support.pipeline import Pipeline

BREACHES = """
    SELECT d.serial, b.monitor, b.id::text, b.first_seen, b.raised_at, b.cleared_at, b.state, b.severity, b.count,
        b.peak::float8, b.profile_version, b.kind, b.fault_group
    FROM breach b JOIN device d ON d.id = b.device_id ORDER BY d.serial, b.monitor, b.first_seen
"""
TRANSITIONS = """
    SELECT d.serial, b.monitor, b.first_seen, t.kind, t.severity, t.at, t.score::float8,
        (SELECT count(*) FROM ticket_decision x WHERE x.transition_id = t.id) AS decisions
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY d.serial, b.monitor, t.at, t.kind
"""
ORDERS = """
    SELECT d.serial, w.fault_group, w.type, w.source, w.state, w.priority, w.breach_count, w.reopen_count,
        (SELECT count(*) FROM work_order_breach l WHERE l.work_order_id = w.id) AS linked
    FROM work_order w LEFT JOIN device d ON d.id = w.device_id ORDER BY d.serial, w.fault_group
"""
CAPAS = """
    SELECT m.key, c.scope_kind, c.scope_value, c.fault_group, c.state, c.trigger,
        (SELECT count(*) FROM capa_member x WHERE x.capa_id = c.id) AS members
    FROM capa c JOIN device_model m ON m.id = c.device_model_id ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """Rows as tuples, in a fixed order."""

    breaches: list[tuple[Any, ...]]
    transitions: list[tuple[Any, ...]]
    orders: list[tuple[Any, ...]]
    capas: list[tuple[Any, ...]]


def load_findings(pipeline: Pipeline) -> Findings:
    """The findings of a drained pipeline."""
    return Findings(*(_load(pipeline, query) for query in (BREACHES, TRANSITIONS, ORDERS, CAPAS)))


def _load(pipeline: Pipeline, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in pipeline.query(query)]
