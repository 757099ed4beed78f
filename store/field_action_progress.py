"""How far a field action is: by state, wave, region and customer."""

from dataclasses import dataclass

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Progress:
    """How many devices of one group (a region, a customer, a wave; "" in all) stand where."""

    key: str
    name: str
    devices: int
    identified: int
    notified: int
    acknowledged: int
    scheduled: int
    remediated: int
    verified: int
    unreachable: int
    scrapped: int

    @property
    def done_share(self) -> float:
        """Remediated or verified, of all that were not scrapped; 1 where none is left."""
        left = self.devices - self.scrapped
        return (self.remediated + self.verified) / left if left else 1.0


_COUNTS = """
    count(*)::integer AS devices,
    (count(*) FILTER (WHERE p.state = 'IDENTIFIED'))::integer AS identified,
    (count(*) FILTER (WHERE p.state = 'NOTIFIED'))::integer AS notified,
    (count(*) FILTER (WHERE p.state = 'ACKNOWLEDGED'))::integer AS acknowledged,
    (count(*) FILTER (WHERE p.state = 'SCHEDULED'))::integer AS scheduled,
    (count(*) FILTER (WHERE p.state = 'REMEDIATED'))::integer AS remediated,
    (count(*) FILTER (WHERE p.state = 'VERIFIED'))::integer AS verified,
    (count(*) FILTER (WHERE p.state = 'UNREACHABLE'))::integer AS unreachable,
    (count(*) FILTER (WHERE p.state = 'SCRAPPED'))::integer AS scrapped
"""
_OF_ACTION = """
    WHERE p.field_action_id = %(id)s AND (%(customer_id)s::bigint IS NULL OR p.customer_id = %(customer_id)s)
"""
LOAD_PROGRESS = {
    "all": f"SELECT '' AS key, '' AS name, {_COUNTS} FROM field_action_place p {_OF_ACTION}",  # noqa: S608
    "region": f"""
        SELECT p.region AS key, p.region AS name, {_COUNTS} FROM field_action_place p {_OF_ACTION}
        GROUP BY p.region ORDER BY p.region
    """,  # noqa: S608
    "customer": f"""
        SELECT coalesce(c.code, '') AS key, coalesce(c.name, '') AS name, {_COUNTS}
        FROM field_action_place p LEFT JOIN customer c ON c.id = p.customer_id {_OF_ACTION}
        GROUP BY c.code, c.name ORDER BY c.code NULLS FIRST
    """,  # noqa: S608
    "wave": f"""
        SELECT p.wave::text AS key, '' AS name, {_COUNTS} FROM field_action_place p {_OF_ACTION}
        GROUP BY p.wave ORDER BY p.wave
    """,  # noqa: S608
}


def load_progress(conn: Connection, field_action_id: int, by: str, *, customer_id: int | None = None) -> list[Progress]:
    """The action's devices counted by `all`, `region`, `customer` or `wave`; `customer_id` is the caller's own."""
    values = {"id": field_action_id, "customer_id": customer_id}
    with conn.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(LOAD_PROGRESS[by], values).fetchall()
