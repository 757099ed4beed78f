"""Records with a life-cycle of their own that wait for another person's signature or decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """One record. `wants` is what is asked of another person; `since` when the first one signed, or made it."""

    wants: str  # capa_plan, capa_closure, field_action, firmware, vigilance, threshold, model
    code: str
    subject: str
    asked_by: str
    since: datetime
    signed_by: list[int]  # who has signed it, or asked for it: not these again
    author_ids: list[int]  # who wrote any part of it: nobody approves what he wrote himself
    details: Mapping[str, Any]  # what would change, beside the state
    is_simulated: bool


# A signature holds for the version that it was put on: every change of what is signed counts the version up.
LOAD_WAITING = """
    WITH signed AS (
        SELECT s.entity, s.entity_id, s.entity_version, min(s.signed_at) AS since, array_agg(s.signer_id) AS signed_by,
            string_agg(s.printed_name, ', ' ORDER BY s.signed_at) AS asked_by
        FROM signature s WHERE s.entity IN ('capa', 'capa.closed', 'field_action', 'firmware_record')
        GROUP BY s.entity, s.entity_id, s.entity_version
    )
    SELECT 'capa_plan' AS wants, q.code, q.problem AS subject, g.asked_by, g.since, g.signed_by, q.author_ids,
        jsonb_build_object('actions', (SELECT count(*) FROM capa_action a
            WHERE a.capa_id = q.id AND a.state <> 'CANCELLED')) AS details, q.is_simulated
    FROM capa q JOIN signed g ON g.entity = 'capa' AND g.entity_id = q.id AND g.entity_version = q.plan_version
    WHERE q.state = 'ACTION_PLAN' AND 'capa_plan' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'capa_closure', q.code, q.problem, g.asked_by, g.since, g.signed_by,
        q.author_ids || ARRAY(SELECT a.done_by_id FROM capa_action a
            WHERE a.capa_id = q.id AND a.state <> 'CANCELLED' AND a.done_by_id IS NOT NULL),
        jsonb_build_object('verdict', q.effectiveness_verdict), q.is_simulated
    FROM capa q JOIN signed g ON g.entity = 'capa.closed' AND g.entity_id = q.id AND g.entity_version = q.plan_version
    WHERE q.state = 'EFFECTIVENESS' AND 'capa_closure' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'field_action', f.code, f.title, coalesce(g.asked_by, f.created_by), coalesce(g.since, f.scope_frozen_at),
        coalesce(g.signed_by, '{}'), f.author_ids, jsonb_build_object('devices', f.item_count), f.is_simulated
    FROM field_action f LEFT JOIN signed g
        ON g.entity = 'field_action' AND g.entity_id = f.id AND g.entity_version = f.content_version
    WHERE f.state = 'DRAFT' AND f.scope_frozen_at IS NOT NULL AND f.item_count > 0 AND 'field_action' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'firmware', m.key || '/' || r.component || '/' || r.version, r.notes, coalesce(g.asked_by, r.created_by),
        coalesce(g.since, r.created_at), coalesce(g.signed_by, '{}'), r.author_ids, '{}', r.is_simulated
    FROM firmware_record r JOIN device_model m ON m.id = r.device_model_id LEFT JOIN signed g
        ON g.entity = 'firmware_record' AND g.entity_id = r.id AND g.entity_version = r.content_version
    WHERE r.state = 'DRAFT' AND 'firmware' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'vigilance', c.code, a.harm, a.assessed_by, a.assessed_at, ARRAY[a.assessed_by_id], '{}',
        jsonb_build_object('jurisdictions', a.jurisdictions), c.is_simulated
    FROM complaint c JOIN LATERAL (
        SELECT * FROM vigilance_assessment n WHERE n.complaint_id = c.id ORDER BY n.version DESC LIMIT 1
    ) a ON a.decision IS NULL
    WHERE c.state <> 'CLOSED' AND 'vigilance' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'threshold', t.code, t.reason, t.endorsed_by, t.endorsed_at, ARRAY[t.endorsed_by_id], '{}',
        jsonb_build_object('model', m.key, 'monitor', t.monitor, 'raise_at', t.raise_at, 'clear_at', t.clear_at,
            'proposed_raise_at', t.proposed_raise_at, 'proposed_clear_at', t.proposed_clear_at),
        coalesce((t.basis ->> 'is_simulated')::boolean, FALSE)
    FROM threshold_proposal t JOIN device_model m ON m.id = t.device_model_id
    WHERE t.state = 'ENDORSED' AND 'threshold' = ANY (%(wanted)s)
    UNION ALL
    SELECT 'model', r.code, m.key, r.asked_by, r.asked_at, ARRAY[r.asked_by_id], '{}',
        jsonb_build_object('kind', r.kind, 'model', m.key, 'firmware', r.firmware, 'live', l.code), FALSE
    FROM model_record r JOIN device_model m ON m.id = r.device_model_id LEFT JOIN model_record l
        ON l.device_model_id = r.device_model_id AND l.kind = r.kind AND l.firmware = r.firmware AND l.state = 'LIVE'
    WHERE r.state = 'SHADOW' AND r.asked_by_id IS NOT NULL AND 'model' = ANY (%(wanted)s)
    ORDER BY since, code LIMIT %(limit)s
"""


def load_waiting_records(conn: Connection, wanted: tuple[str, ...], *, limit: int = 200) -> list[WaitingRecord]:
    """Those of these kinds, the one that waits longest first."""
    with conn.cursor(row_factory=class_row(WaitingRecord)) as cursor:
        return cursor.execute(LOAD_WAITING, {"wanted": list(wanted), "limit": limit}).fetchall()
