"""The ticket rules of each device model, from its current profile."""

from typing import Any

from domain.profile import TicketPolicy
from store.pool import Connection

LOAD_TICKET_POLICIES = """
    SELECT m.id, p.body -> 'tickets' FROM device_model m
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    WHERE %(device_model_id)s::integer IS NULL OR m.id = %(device_model_id)s
"""


def load_ticket_policies(conn: Connection) -> dict[int, TicketPolicy]:
    """The ticket policy of every device model, by the model's id."""
    return {row[0]: _to_policy(row[1]) for row in conn.execute(LOAD_TICKET_POLICIES, {"device_model_id": None})}


def load_ticket_policy(conn: Connection, device_model_id: int | None) -> TicketPolicy:
    """The ticket policy of one device model; the defaults for an order that belongs to no device."""
    if device_model_id is None:
        return TicketPolicy()
    row = conn.execute(LOAD_TICKET_POLICIES, {"device_model_id": device_model_id}).fetchone()
    return TicketPolicy() if row is None else _to_policy(row[1])


def _to_policy(document: dict[str, Any] | None) -> TicketPolicy:
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in (document or {}).items()}
    return TicketPolicy(**given)
