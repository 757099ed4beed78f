"""What people and programs ask of the service side: every list with its filters, deep pages, the console's pages."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from urllib.parse import quote, urlencode

import orjson

from api.passwords import hash_secret, make_api_token, make_session_token
from api.sign_in import COOKIE
from benchmarks.installation import BenchmarkFailedError
from benchmarks.query_requests import running_api, time_request
from domain.roles import Role
from store.pool import Connection, open_connection
from store.sessions import record_session
from store.users import load_user, record_user
from store.work_order_lists import SORTS

ORDERS = "/api/v1/work-orders"
STATES = "state=ASSIGNED&state=IN_PROGRESS&state=ON_HOLD"


@dataclass(frozen=True, slots=True)
class Request:
    """One address, asked by somebody; `deep` counts pages of 500 that are passed over first."""

    path: str
    who: str = "manager"
    deep: int = 0


@dataclass(frozen=True, slots=True)
class Subjects:
    """Records that the addresses name: an open order with a device, its device and customer."""

    order: str
    serial: str
    customer: str
    model: str
    fault_group: str


def find_requests(now: datetime, found: Subjects, deep: int) -> dict[str, Request]:
    """By name. `deep` is how many pages of 500 a deep one lies behind."""
    month = urlencode({"from": (now - timedelta(days=400)).isoformat(), "to": (now - timedelta(days=370)).isoformat()})
    serial, customer, model = quote(found.serial), quote(found.customer), quote(found.model)
    orders = {f"orders_by_{sort}": Request(f"{ORDERS}?sort={sort}") for sort in SORTS}
    orders |= {f"orders_by_{sort}_deep": Request(f"{ORDERS}?sort={sort}", deep=deep) for sort in SORTS}
    filters = {
        "open": "open=true",
        "inbox": "inbox=true",
        "states": STATES,
        "closed": "state=CLOSED",
        "priority": "priority=P1",
        "type": "type=CALIBRATION",
        "source": "source=COMPLAINT",
        "model": f"model={model}",
        "firmware": "firmware=2.4.1",
        "fault_group": f"fault_group={found.fault_group}",
        "customer": f"customer={customer}",
        "device": f"device={serial}",
        "assignee": "assignee=tech-7",
        "region": "region=EU",
        "nothing": "region=nowhere",
        "q_code": "q=WO-2026-0543",
        "q_serial": f"q={serial}",
        "q_customer": "q=customer+77",
        "q_nothing": "q=no+such+word",
        "total": "total=true",
        "total_open": "open=true&total=true",
        "total_closed_model": f"state=CLOSED&model={model}&total=true",
        "total_q": "q=customer+77&total=true",
        "200": "limit=200",
    }
    orders |= {f"orders_{name}": Request(f"{ORDERS}?{query}") for name, query in filters.items()}
    orders |= {
        "orders_of_technician": Request(f"{ORDERS}?assignee=tech-7&{STATES}&total=true", "technician"),
        "orders_of_customer": Request(f"{ORDERS}?total=true", "customer"),
        "orders_of_customer_q": Request(f"{ORDERS}?q=wo-2026&sort=created", "customer"),
        "order": Request(f"{ORDERS}/{found.order}"),
        "suggestions": Request(f"{ORDERS}/{found.order}/suggestions"),
    }
    audit = {
        "all": "",
        "entity": "entity=work_order",
        "entity_id": f"entity=work_order&entity_id={found.order}",
        "actor": "actor=tech-7",
        "action": "action=workorder.verified",
        "actor_action": "actor=tech-7&action=workorder.done",
        "nobody": "actor=nobody",
        "month": month,
        "month_actor": f"{month}&actor=tech-7",
    }
    lists = {f"audit_{name}": Request(f"/api/v1/audit?{query}", "auditor") for name, query in audit.items()}
    lists |= {"audit_deep": Request("/api/v1/audit", "auditor", deep)}
    others = {
        "breaches": "/breaches",
        "breaches_total": "/breaches?total=true",
        "breaches_active": "/breaches?state=ACTIVE&total=true",
        "breaches_severity": "/breaches?severity=CRITICAL",
        "breaches_device": f"/breaches?device={serial}&total=true",
        "breaches_fault_group": f"/breaches?fault_group={found.fault_group}",
        "breaches_month": f"/breaches?{month}&total=true",
        "breaches_nothing": "/breaches?monitor=none",
        "customers": "/customers?total=true",
        "customers_q": "/customers?q=customer+77&total=true",
        "complaints": "/complaints",
        "complaints_open": "/complaints?open=true",
        "complaints_state": "/complaints?state=CLOSED",
        "complaints_device": f"/complaints?device={serial}",
        "complaints_customer": f"/complaints?customer={customer}",
        "complaints_fault_group": f"/complaints?fault_group={found.fault_group}",
        "complaints_decision": "/complaints?decision=REPORTABLE",
        "complaints_report_due": "/complaints?report_due=true",
        "complaints_unlinked": "/complaints?unlinked=true",
        "capas": "/capas?total=true",
        "capas_state": "/capas?state=INVESTIGATION&total=true",
        "capa_actions": "/capa-actions?total=true",
        "field_actions": "/field-actions?total=true",
        "field_actions_device": f"/field-actions?device={serial}&total=true",
        "field_action_items": "/field-actions/FA-2026-0001/items",
        "approvals": "/approval-requests",
        "approvals_asked": "/approval-requests?state=ASKED",
        "approvals_entity": f"/approval-requests?entity=device&entity_id={serial}",
        "plans": "/maintenance-plans",
        "occurrences": "/maintenance-plans/occurrences",
        "occurrences_due": "/maintenance-plans/occurrences?state=DUE&state=OVERDUE",
        "occurrences_device": f"/maintenance-plans/occurrences?device={serial}",
        "occurrences_plan": "/maintenance-plans/occurrences?plan=MP-0003",
        "reminders": "/reminders",
        "reminders_kind": "/reminders?kind=CALIBRATION",
        "reminders_device": f"/reminders?device={serial}",
        "technicians": "/technicians",
        "certificates": "/technician-certificates",
    }
    lists |= {name: Request(f"/api/v1{path}") for name, path in others.items()}
    of_customer = {"breaches": "/breaches", "reminders": "/reminders", "occurrences": "/maintenance-plans/occurrences"}
    lists |= {f"{name}_of_customer": Request(f"/api/v1{path}", "customer") for name, path in of_customer.items()}
    lists |= {
        name: Request(f"/api/v1{path}", deep=deep // 4)
        for name, path in {"breaches_deep": "/breaches", "complaints_deep": "/complaints"}.items()
    }
    pages = {
        "inbox": "/inbox",
        "inbox_priority": "/inbox?sort=priority",
        "inbox_filtered": "/inbox?priority=P2",
        "orders": "/work-orders",
        "orders_closed": "/work-orders?state=CLOSED&sort=created",
        "order": f"/work-orders/{found.order}",
        "audit": "/audit",
        "capa": "/capa",
    }
    return orders | lists | {f"page_{name}": Request(path, "auditor" if name == "audit" else "manager")
                             for name, path in pages.items()}  # fmt: skip


FIND_SUBJECTS = """
    SELECT w.code, d.serial, c.code, m.key, w.fault_group FROM work_order w JOIN device d ON d.id = w.device_id
    JOIN device_model m ON m.id = d.device_model_id JOIN customer c ON c.id = w.customer_id
    WHERE w.state = 'IN_PROGRESS' AND w.source = 'AUTOMATIC' ORDER BY w.id LIMIT 1
"""


def measure_service(app_url: str, now: datetime, *, rounds: int, deep: int) -> dict[str, dict[str, float]]:
    """Milliseconds of every request over HTTP, from sending it to the last byte of its answer, on one kept connection.

    Raises
    ------
    BenchmarkFailedError
        The API does not start, or an answer is not 200.
    """
    with open_connection(app_url, application="benchmark") as conn:
        row = conn.execute(FIND_SUBJECTS).fetchone()
        assert row is not None
        found = Subjects(*row)
        headers = _let_in(conn, now, found.customer)
    figures: dict[str, dict[str, float]] = {}
    with running_api(app_url) as port:
        for name, request in find_requests(now, found, deep).items():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            given = headers[request.who]
            path = request.path
            if request.deep:
                path = _go_deep(connection, path, given, request.deep)
            first, size = time_request(connection, path, given)
            later = [time_request(connection, path, given)[0] for _ in range(rounds)]
            connection.close()
            cuts = quantiles(later, n=20, method="inclusive")
            figures[name] = {
                "first_ms": round(first, 1), "p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1), "bytes": size,
            }  # fmt: skip
    return figures


def _go_deep(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], pages: int) -> str:
    """The address of the page behind so many pages of 500."""
    sign = "&" if "?" in path else "?"
    cursor = ""
    for _ in range(pages):
        connection.request("GET", f"{path}{sign}limit=500{cursor}", headers=dict(headers))
        answer = connection.getresponse()
        body = orjson.loads(answer.read())
        if answer.status != 200 or body["next_cursor"] is None:
            raise BenchmarkFailedError(f"{path} has no page {pages} of 500: {answer.status}")
        cursor = f"&cursor={quote(body['next_cursor'])}"
    return f"{path}{sign}limit=50{cursor}"


def _let_in(conn: Connection, now: datetime, customer: str) -> dict[str, dict[str, str]]:
    """The headers of each of them; all are signed in with a session."""
    row = conn.execute("SELECT id FROM customer WHERE code = %s", (customer,)).fetchone()
    assert row is not None
    roles = {
        "manager": [Role.SERVICE_MANAGER, Role.DISPATCHER, Role.QUALITY_ENGINEER],
        "auditor": [Role.AUDITOR],
        "customer": [Role.CUSTOMER],
    }
    headers: dict[str, dict[str, str]] = {}
    for name, held in roles.items():
        user = record_user(
            conn,
            name=f"bench-{name}",
            full_name=name,
            password_hash="!",
            roles=[role.value for role in held],
            must_change_password=False,
            customer_id=row[0] if name == "customer" else None,
        )
        assert user is not None
        headers[name] = _open_session(conn, user, now)
    technician = load_user(conn, "tech-7")
    assert technician is not None
    return headers | {"technician": _open_session(conn, technician.id, now)}


def _open_session(conn: Connection, user_id: int, now: datetime) -> dict[str, str]:
    cookie = make_session_token()
    record_session(conn, hash_secret(cookie), user_id, make_api_token(), now + timedelta(hours=8))
    return {"Cookie": f"{COOKIE}={cookie}"}
