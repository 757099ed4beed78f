"""Technicians as somebody sees them who has work to give: whom an order may go to, and how much each already has."""

from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Technician:
    """One active technician. `models` are those with a certificate that is valid on the day asked for."""

    id: int
    name: str
    full_name: str
    models: list[str]
    open_orders: int


LOAD_TECHNICIANS = """
    SELECT u.id, u.name, u.full_name,
        ARRAY(SELECT m.key FROM technician_certificate t JOIN device_model m ON m.id = t.device_model_id
            WHERE t.user_id = u.id AND t.valid_until >= %(day)s ORDER BY m.key) AS models,
        (SELECT count(*)::integer FROM work_order w
            WHERE w.assignee_id = u.id AND w.state NOT IN ('CLOSED', 'CANCELLED')) AS open_orders
    FROM app_user u WHERE u.status = 'ACTIVE' AND 'technician' = ANY (u.roles) ORDER BY u.full_name, u.name
"""


def load_technicians(conn: Connection, day: date) -> list[Technician]:
    """All active technicians by name, with their certificates as of that day."""
    with conn.cursor(row_factory=class_row(Technician)) as cursor:
        return cursor.execute(LOAD_TECHNICIANS, {"day": day}).fetchall()


def find_suggestion(technicians: list[Technician], model: str | None) -> Technician | None:
    """Of those who may work on that model the one with the least open work; None where nobody may."""
    able = [t for t in technicians if model is None or model in t.models]
    return min(able, key=lambda t: (t.open_orders, t.name), default=None)
