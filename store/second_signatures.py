"""Records with a life-cycle of their own that wait for another person's signature or decision."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """One record. `wants` is what is asked of another person; `since` when the first one signed, or made it."""

    wants: str  # capa_plan, capa_closure, field_action, firmware, vigilance
    code: str
    subject: str
    asked_by: str
    since: datetime
    is_simulated: bool


# A signature holds for the version that it was put on: every change of what is signed counts the version up.
LOAD_WAITING = """
    WITH signed AS (
        SELECT s.entity, s.entity_id, s.entity_version, min(s.signed_at) AS since,
            string_agg(s.printed_name, ', ' ORDER BY s.signed_at) AS asked_by
        FROM signature s WHERE s.entity IN ('capa', 'capa.closed', 'field_action', 'firmware_record')
        GROUP BY s.entity, s.entity_id, s.entity_version
    )
    SELECT 'capa_plan' AS wants, q.code, q.problem AS subject, g.asked_by, g.since, q.is_simulated
    FROM capa q JOIN signed g ON g.entity = 'capa' AND g.entity_id = q.id AND g.entity_version = q.plan_version
    WHERE q.state = 'ACTION_PLAN' AND 'capa_plan' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'capa_closure', q.code, q.problem, g.asked_by, g.since, q.is_simulated
    FROM capa q JOIN signed g ON g.entity = 'capa.closed' AND g.entity_id = q.id AND g.entity_version = q.plan_version
    WHERE q.state = 'EFFECTIVENESS' AND 'capa_closure' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'field_action', f.code, f.title, coalesce(g.asked_by, f.created_by), coalesce(g.since, f.scope_frozen_at),
        f.is_simulated
    FROM field_action f LEFT JOIN signed g
        ON g.entity = 'field_action' AND g.entity_id = f.id AND g.entity_version = f.content_version
    WHERE f.state = 'DRAFT' AND f.scope_frozen_at IS NOT NULL AND f.item_count > 0 AND 'field_action' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'firmware', m.key || '/' || r.component || '/' || r.version, r.notes, coalesce(g.asked_by, r.created_by),
        coalesce(g.since, r.created_at), r.is_simulated
    FROM firmware_record r JOIN device_model m ON m.id = r.device_model_id LEFT JOIN signed g
        ON g.entity = 'firmware_record' AND g.entity_id = r.id AND g.entity_version = r.content_version
    WHERE r.state = 'DRAFT' AND 'firmware' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'vigilance', c.code, a.harm, a.assessed_by, a.assessed_at, c.is_simulated
    FROM complaint c JOIN LATERAL (
        SELECT * FROM vigilance_assessment n WHERE n.complaint_id = c.id ORDER BY n.version DESC LIMIT 1
    ) a ON a.decision IS NULL
    WHERE c.state <> 'CLOSED' AND 'vigilance' = ANY (%(wanted)s)
    ORDER BY since, code LIMIT %(limit)s
"""


def load_waiting_records(conn: Connection, wanted: tuple[str, ...], *, limit: int = 200) -> list[WaitingRecord]:
    """Those of these kinds, the one that waits longest first."""
    with conn.cursor(row_factory=class_row(WaitingRecord)) as cursor:
        return cursor.execute(LOAD_WAITING, {"wanted": list(wanted), "limit": limit}).fetchall()
