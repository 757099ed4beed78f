"""The root cause of a CAPA as rows: causes in their order, each with its whys."""

from collections import defaultdict
from typing import Any

from psycopg.rows import dict_row

from domain.capa_cause import (
    Cause,
    CauseCategory,
    CauseVerdict,
    EvidenceKind,
    EvidenceRef,
    RootCause,
    Why,
)
from store.audit import to_jsonb
from store.pool import Connection

LOAD_CAUSES = """
    SELECT c.id, c.category, c.verdict, c.statement, c.evidence FROM capa_cause c WHERE c.capa_id = %s ORDER BY c.place
"""
LOAD_WHYS = "SELECT cause_id, statement, evidence FROM capa_why WHERE capa_id = %s ORDER BY cause_id, place"


def load_root_cause(conn: Connection, capa_id: int, problem: str) -> RootCause:
    """The investigation as it was last written; `problem` stands with the CAPA itself."""
    whys: dict[int, list[Why]] = defaultdict(list)
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(LOAD_WHYS, (capa_id,)):
            whys[row["cause_id"]].append(Why(row["statement"], _read(row["evidence"])))
        causes = tuple(
            Cause(
                CauseCategory(row["category"]),
                CauseVerdict(row["verdict"]),
                row["statement"],
                tuple(whys[row["id"]]),
                _read(row["evidence"]),
            )
            for row in cursor.execute(LOAD_CAUSES, (capa_id,))
        )
    return RootCause(problem, causes)


REMOVE_CAUSES = "DELETE FROM capa_cause WHERE capa_id = %s"
RECORD_CAUSE = """
    INSERT INTO capa_cause (capa_id, place, category, verdict, statement, evidence)
    VALUES (%(capa_id)s, %(place)s, %(category)s, %(verdict)s, %(statement)s, %(evidence)s) RETURNING id
"""
RECORD_WHY = """
    INSERT INTO capa_why (capa_id, cause_id, place, statement, evidence)
    VALUES (%(capa_id)s, %(cause_id)s, %(place)s, %(statement)s, %(evidence)s)
"""


def record_causes(conn: Connection, capa_id: int, root_cause: RootCause) -> None:
    """Puts these causes in the place of those that were there; what was there stands in the audit."""
    conn.execute(REMOVE_CAUSES, (capa_id,))
    for place, cause in enumerate(root_cause.causes, 1):
        values: dict[str, Any] = {
            "capa_id": capa_id,
            "place": place,
            "category": cause.category,
            "verdict": cause.verdict,
            "statement": cause.statement,
            "evidence": _write(cause.evidence),
        }
        row = conn.execute(RECORD_CAUSE, values).fetchone()
        assert row is not None
        for step, why in enumerate(cause.whys, 1):
            conn.execute(
                RECORD_WHY,
                {
                    "capa_id": capa_id,
                    "cause_id": row[0],
                    "place": step,
                    "statement": why.statement,
                    "evidence": _write(why.evidence),
                },
            )


# Documents are kept elsewhere and cannot be looked up.
LOAD_UNKNOWN = """
    SELECT r.kind, r.ref FROM unnest(%s::text[], %s::text[]) AS r (kind, ref)
    WHERE NOT CASE r.kind
        WHEN 'WORK_ORDER' THEN EXISTS (SELECT FROM work_order w WHERE w.code = r.ref)
        WHEN 'BREACH' THEN EXISTS (SELECT FROM breach b WHERE b.id = CASE
            WHEN r.ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN r.ref::uuid END)
        WHEN 'DEVICE' THEN EXISTS (SELECT FROM device d WHERE d.serial = r.ref)
        WHEN 'CAPA' THEN EXISTS (SELECT FROM capa q WHERE q.code = r.ref)
        WHEN 'FIELD_ACTION' THEN EXISTS (SELECT FROM field_action f WHERE f.code = r.ref)
        ELSE true END
    ORDER BY 1, 2
"""


def load_unknown_evidence(conn: Connection, evidence: tuple[EvidenceRef, ...]) -> list[EvidenceRef]:
    """Those of the references that point to no record."""
    known = [ref for ref in evidence if ref.kind is not EvidenceKind.DOCUMENT]
    rows = conn.execute(LOAD_UNKNOWN, ([r.kind.value for r in known], [r.ref for r in known])).fetchall()
    return [EvidenceRef(EvidenceKind(kind), ref) for kind, ref in rows]


def _read(value: Any) -> tuple[EvidenceRef, ...]:
    return tuple(EvidenceRef.from_json(ref) for ref in value)


def _write(evidence: tuple[EvidenceRef, ...]) -> Any:
    return to_jsonb([ref.to_json() for ref in evidence])
