"""Which work orders a list wants: each filter that is given as one condition on the order itself.

Only conditions that are asked for stand in the query, and all of them speak of columns of the order: so the server can
walk the index of the sort order and stop at the end of the page, or begin at the index of the narrowest filter.
"""

import re
from dataclasses import dataclass
from typing import Any

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class WorkOrderFilter:
    """Which orders; an empty value means all. Filters are joined by AND, the values of one by OR."""

    states: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()  # title codes
    fault_groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ()
    serial: str = ""
    customer_codes: tuple[str, ...] = ()
    customer_id: int | None = None  # what a customer's own user may see
    connectivities: tuple[str, ...] = ()  # of the device now
    region: str = ""
    assignee: str = ""  # user name
    assignee_id: int | None = None
    parent: str = ""  # code: the children of this order
    code: str = ""  # this one alone
    q: str = ""  # in code, serial, gateway, site and customer
    open_only: bool = False
    inbox_only: bool = False  # a person has yet to look; children of a parent are folded into it
    is_simulated: bool | None = None


EVERYTHING = WorkOrderFilter()
OPEN = "w.state NOT IN ('CLOSED', 'CANCELLED')"
CONDITIONS = {
    "states": "w.state = ANY (%(states)s)",
    "priorities": "w.priority = ANY (%(priorities)s)",
    "types": "w.type = ANY (%(types)s)",
    "sources": "w.source = ANY (%(sources)s)",
    "reasons": "w.title_code = ANY (%(reasons)s)",
    "fault_groups": "w.fault_group = ANY (%(fault_groups)s)",
    "models": "w.device_id IN (SELECT d.id FROM device d WHERE d.device_model_id = ANY (%(models)s))",  # their ids
    "firmwares": "w.device_id IN (SELECT d.id FROM device d WHERE d.firmware = ANY (%(firmwares)s))",
    "connectivities": "w.device_id IN (SELECT d.id FROM device d WHERE d.connectivity = ANY (%(connectivities)s))",
    "serial": "w.device_id = (SELECT d.id FROM device d WHERE d.serial = %(serial)s)",
    "customer_codes": "w.customer_id IN (SELECT c.id FROM customer c WHERE c.code = ANY (%(customer_codes)s))",
    "customer_id": "w.customer_id = %(customer_id)s",
    "region": "w.region = %(region)s",
    "assignee": "w.assignee_id = (SELECT a.id FROM app_user a WHERE a.name = %(assignee)s)",
    "assignee_id": "w.assignee_id = %(assignee_id)s",
    "parent": "w.parent_id = (SELECT p.id FROM work_order p WHERE p.code = %(parent)s)",
    "code": "w.code = %(code)s",
    "open_only": OPEN,
    # A look at the parent of the few that have one; as EXISTS the server may first gather all that are closed.
    "inbox_only": f"""w.inbox_reason IS NOT NULL AND {OPEN} AND (w.parent_id IS NULL
        OR (SELECT p.state IN ('CLOSED', 'CANCELLED') FROM work_order p WHERE p.id = w.parent_id))""",  # noqa: S608
    "is_simulated": "w.is_simulated = %(is_simulated)s",
}
FIND_MODELS = "SELECT id FROM device_model WHERE key = ANY (%s)"
# Codes are of these characters only: a text with any other is found in no code.
IN_CODE = re.compile(r"[WO0-9-]+")
MANY_CODES = 1_000
FIND_CODES = "SELECT w.id FROM work_order w WHERE strpos(w.code, %s) > 0 LIMIT %s"
# The few things that have names are searched first; the orders are found by the ids of what fits.
FIND_NAMED = """
    SELECT
        ARRAY(SELECT d.id FROM device d WHERE strpos(lower(d.serial), t.q) > 0) AS devices,
        ARRAY(SELECT g.id FROM gateway g WHERE strpos(lower(g.name), t.q) > 0) AS gateways,
        ARRAY(SELECT s.id FROM site s WHERE strpos(lower(s.name), t.q) > 0) AS sites,
        ARRAY(SELECT c.id FROM customer c WHERE strpos(lower(c.code), t.q) > 0 OR strpos(lower(c.name), t.q) > 0)
            AS customers
    FROM (SELECT lower(%s) AS q) AS t
"""


def find_conditions(conn: Connection, wanted: WorkOrderFilter) -> tuple[str, dict[str, Any]]:
    """The condition on `work_order w` and its parameters: `true` where nothing is asked for."""
    values: dict[str, Any] = {}
    conditions: list[str] = []
    for name, condition in CONDITIONS.items():
        value = getattr(wanted, name)
        if value is None or value in ((), "") or (value is False and name != "is_simulated"):
            continue
        conditions.append(condition)
        values[name] = list(value) if isinstance(value, tuple) else value
    if wanted.models:  # there are few: a name that is none is known at once
        values["models"] = [i for (i,) in conn.execute(FIND_MODELS, (list(wanted.models),))]
        if not values["models"]:
            conditions.append("false")
    if wanted.q:
        condition, found = _find_text(conn, wanted.q)
        conditions.append(condition)
        values |= found
    return " AND ".join(conditions) or "true", values


def _find_text(conn: Connection, text: str) -> tuple[str, dict[str, Any]]:
    row = conn.execute(FIND_NAMED, (text,)).fetchone()
    assert row is not None
    named = dict(zip(("device_id", "gateway_id", "site_id", "customer_id"), row, strict=True))
    values: dict[str, Any] = {f"q_{column}": ids for column, ids in named.items() if ids}
    conditions = [f"w.{column} = ANY (%(q_{column})s)" for column, ids in named.items() if ids]
    upper = text.upper()
    if IN_CODE.fullmatch(upper):
        codes = [i for (i,) in conn.execute(FIND_CODES, (upper, MANY_CODES + 1))]
        if len(codes) > MANY_CODES:
            conditions.append("strpos(w.code, %(q_code)s) > 0")
            values["q_code"] = upper
        elif codes:
            conditions.append("w.id = ANY (%(q_id)s)")
            values["q_id"] = codes
    return f"({' OR '.join(conditions)})" if conditions else "false", values
