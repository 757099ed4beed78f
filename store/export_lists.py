"""What each list that can be taken out is made of: its columns, its filters and its query."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.export import ExportList, FilterKind
from domain.roles import Permission
from store.pool import Connection

_TEXT, _TEXTS, _INSTANT, _FLAG = FilterKind.TEXT, FilterKind.TEXTS, FilterKind.INSTANT, FilterKind.FLAG
ROWS_AT_ONCE = 2_000
# Each kind of filter as a condition on a column; what is not asked for is NULL and limits nothing.
_CONDITIONS = {
    _TEXT: "(%({name})s::text IS NULL OR {column} = %({name})s)",
    _TEXTS: "(%({name})s::text[] IS NULL OR {column} = ANY (%({name})s))",
    _FLAG: "(%({name})s::boolean IS NULL OR ({column}) = %({name})s)",
    _INSTANT: "(%({name})s::timestamptz IS NULL OR {column} {sign} %({name})s)",
}


@dataclass(frozen=True, slots=True)
class _ListSource:
    """A list with the query behind it: every filter names its column, so none is offered that limits nothing."""

    name: str
    record: str
    permission: Permission
    columns: tuple[str, ...]
    filters: Mapping[str, tuple[FilterKind, str]]
    select: str
    owner: str  # whose rows they are, for an account of one customer; empty: it has none of them
    order: str

    def find_list(self) -> ExportList:
        """What can be asked for."""
        kinds = {name: kind for name, (kind, _) in self.filters.items()}
        return ExportList(self.name, self.record, self.permission, self.columns, kinds)

    def make_query(self) -> str:
        """The rows that are wanted, in order; parameters are the filters and `customer_id`."""
        of_customer = f" OR {self.owner} = %(customer_id)s" if self.owner else ""
        parts = [f"(%(customer_id)s::bigint IS NULL{of_customer})"]
        for name, (kind, column) in self.filters.items():
            sign = "<" if name.rpartition("_")[2] == "to" else ">="  # an end is not included
            parts.append(_CONDITIONS[kind].format(name=name, column=column, sign=sign))
        return f"{self.select} WHERE {' AND '.join(parts)} ORDER BY {self.order}"


LOAD_WORK_ORDERS = """
    SELECT w.code, w.type, w.source, w.priority, w.state, w.hold_reason, w.fault_group, w.title_code, d.serial,
        m.key, g.name, s.code, c.code, c.name, w.region, w.breach_count, w.outcome, w.failure_code, w.version,
        w.reopen_count, w.response_due_at, w.resolution_due_at, w.responded_at, w.resolved_at, w.response_breached,
        w.resolution_breached, w.created_at, w.updated_at, w.closed_at, w.is_simulated, a.name, a.full_name,
        w.created_by, w.close_out ->> 'serviced_by', w.close_out ->> 'done_by'
    FROM work_order w
    LEFT JOIN device d ON d.id = w.device_id
    LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = w.gateway_id
    LEFT JOIN site s ON s.id = w.site_id
    LEFT JOIN customer c ON c.id = w.customer_id
    LEFT JOIN app_user a ON a.id = w.assignee_id
"""
WORK_ORDERS = _ListSource(
    name="work_orders",
    record="work_order",
    permission=Permission.WORK_ORDER_READ,
    columns=(
        "code", "type", "source", "priority", "state", "hold_reason", "fault_group", "title_code", "serial", "model",
        "gateway", "site", "customer", "customer_name", "region", "breach_count", "outcome", "failure_code", "version",
        "reopen_count", "response_due_at", "resolution_due_at", "responded_at", "resolved_at", "response_breached",
        "resolution_breached", "created_at", "updated_at", "closed_at", "is_simulated", "assignee", "assignee_name",
        "created_by", "serviced_by", "done_by",
    ),
    filters={
        "state": (_TEXTS, "w.state"), "priority": (_TEXTS, "w.priority"), "type": (_TEXTS, "w.type"),
        "model": (_TEXTS, "m.key"), "customer": (_TEXTS, "c.code"), "serial": (_TEXT, "d.serial"),
        "region": (_TEXT, "w.region"), "open": (_FLAG, "w.state NOT IN ('CLOSED', 'CANCELLED')"),
        "created_from": (_INSTANT, "w.created_at"), "created_to": (_INSTANT, "w.created_at"),
    },
    select=LOAD_WORK_ORDERS,
    owner="w.customer_id",
    order="w.id",
)  # fmt: skip

LOAD_DEVICES = """
    SELECT d.serial, m.key, d.lot, d.udi, d.firmware, d.lifecycle, d.connectivity, d.last_seen_at, g.name, s.code,
        s.name, s.department, c.code, c.name, d.region, d.made_on, d.expires_on, d.purchased_on, d.installed_on,
        d.warranty_end, d.calibration_due, d.is_simulated
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = d.gateway_id
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
"""
DEVICES = _ListSource(
    name="devices",
    record="device",
    permission=Permission.DEVICE_READ,
    columns=(
        "serial", "model", "lot", "udi", "firmware", "lifecycle", "connectivity", "last_seen_at", "gateway", "site",
        "site_name", "department", "customer", "customer_name", "region", "made_on", "expires_on", "purchased_on",
        "installed_on", "warranty_end", "calibration_due", "is_simulated",
    ),
    filters={
        "model": (_TEXTS, "m.key"), "firmware": (_TEXTS, "d.firmware"), "customer": (_TEXTS, "c.code"),
        "lifecycle": (_TEXTS, "d.lifecycle"), "connectivity": (_TEXTS, "d.connectivity"),
        "region": (_TEXT, "d.region"),
    },
    select=LOAD_DEVICES,
    owner="s.customer_id",
    order="d.serial",
)  # fmt: skip

LOAD_CUSTOMERS = """
    SELECT c.code, c.name, c.type, c.channel, c.status, c.region, c.updated_at, c.is_simulated, c.contacts
    FROM customer c
"""
CUSTOMERS = _ListSource(
    name="customers",
    record="customer",
    permission=Permission.CUSTOMER_READ,
    columns=("code", "name", "type", "channel", "status", "region", "updated_at", "is_simulated", "contacts"),
    filters={
        "type": (_TEXTS, "c.type"), "status": (_TEXTS, "c.status"), "region": (_TEXT, "c.region"),
    },
    select=LOAD_CUSTOMERS,
    owner="c.id",
    order="c.code",
)  # fmt: skip

LOAD_SITES = """
    SELECT s.code, c.code, c.name, s.name, s.department, s.address, s.time_zone, s.region, k.code, s.external_refs,
        s.updated_at, s.is_simulated
    FROM site s JOIN customer c ON c.id = s.customer_id LEFT JOIN service_calendar k ON k.id = s.service_calendar_id
"""
SITES = _ListSource(
    name="sites",
    record="site",
    permission=Permission.DEVICE_READ,
    columns=(
        "code", "customer", "customer_name", "name", "department", "address", "time_zone", "region", "service_calendar",
        "external_refs", "updated_at", "is_simulated",
    ),
    filters={
        "customer": (_TEXTS, "c.code"), "region": (_TEXT, "s.region"),
    },
    select=LOAD_SITES,
    owner="s.customer_id",
    order="s.code",
)  # fmt: skip

LOAD_CONTRACTS = """
    SELECT k.code, c.code, c.name, k.coverage, k.starts_on, k.ends_on, k.status, k.status_since, k.remind_days,
        p.code, k.covers_all,
        CASE WHEN k.covers_all THEN '*' ELSE coalesce((SELECT string_agg(d.serial, ' ' ORDER BY d.serial)
            FROM service_contract_device x JOIN device d ON d.id = x.device_id WHERE x.contract_id = k.id), '') END,
        k.region, k.external_refs, k.updated_at, k.is_simulated
    FROM service_contract k JOIN customer c ON c.id = k.customer_id LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
"""
CONTRACTS = _ListSource(
    name="contracts",
    record="contract",
    permission=Permission.DEVICE_READ,
    columns=(
        "code", "customer", "customer_name", "coverage", "starts_on", "ends_on", "status", "status_since",
        "remind_days", "sla_policy", "covers_all", "devices", "region", "external_refs", "updated_at",
        "is_simulated",
    ),
    filters={
        "customer": (_TEXTS, "c.code"), "status": (_TEXTS, "k.status"), "region": (_TEXT, "k.region"),
    },
    select=LOAD_CONTRACTS,
    owner="k.customer_id",
    order="k.code",
)  # fmt: skip

# What people wrote (details, correction, reply, reasons) is in no file, nor what the machine only counts.
LOAD_COMPLAINTS = """
    SELECT q.code, q.state, q.version, q.received_at, q.severity, q.device_name, q.device_identification, d.serial,
        m.key, c.code, c.name, q.fault_group, w.code, q.joined_as, q.investigated, a.harm, a.decision, a.reportable_in,
        t.due_at, coalesce(t.is_overdue, false), q.closed_at, q.external_refs, q.region, q.created_at, q.updated_at,
        q.is_simulated, q.reporter_name, q.reporter_address, q.reporter_phone, q.investigation_decided_by, q.created_by
    FROM complaint q
    LEFT JOIN device d ON d.id = q.device_id
    LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN customer c ON c.id = q.customer_id
    LEFT JOIN work_order w ON w.id = surviving_order(q.work_order_id)
    LEFT JOIN LATERAL (
        SELECT v.id, v.harm, v.decision, array_to_string(v.reportable_in, ' ') AS reportable_in
        FROM vigilance_assessment v WHERE v.complaint_id = q.id ORDER BY v.version DESC LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT min(x.due_at) AS due_at, bool_or(x.overdue_at IS NOT NULL) AS is_overdue
        FROM vigilance_clock x WHERE x.assessment_id = a.id AND x.state = 'RUNNING'
    ) t ON true
"""
COMPLAINTS = _ListSource(
    name="complaints",
    record="complaint",
    permission=Permission.COMPLAINT_READ,
    columns=(
        "code", "state", "version", "received_at", "severity", "device_name", "device_identification", "serial",
        "model", "customer", "customer_name", "fault_group", "work_order", "joined_as", "investigated", "harm",
        "decision", "reportable_in", "next_report_due_at", "is_report_overdue", "closed_at", "external_refs", "region",
        "created_at", "updated_at", "is_simulated", "reporter_name", "reporter_address", "reporter_phone",
        "investigation_decided_by", "created_by",
    ),
    filters={
        "state": (_TEXTS, "q.state"), "severity": (_TEXTS, "q.severity"), "customer": (_TEXTS, "c.code"),
        "model": (_TEXTS, "m.key"), "serial": (_TEXT, "d.serial"), "region": (_TEXT, "q.region"),
        "decision": (_TEXTS, "coalesce(a.decision, 'UNDECIDED')"), "received_from": (_INSTANT, "q.received_at"),
        "received_to": (_INSTANT, "q.received_at"),
    },
    select=LOAD_COMPLAINTS,
    owner="q.customer_id",
    order="q.id",
)  # fmt: skip

LOAD_AUDIT = """
    SELECT e.seq, e.at, e.role, e.permission, e.action, e.entity, e.entity_id, e.before, e.after, e.reason,
        e.request_id, e.prev_hash, e.hash, e.actor
    FROM audit_event e
"""
# Who acted is a column of its own; an account is also what some events are about.
AUDIT = _ListSource(
    name="audit",
    record="audit",
    permission=Permission.AUDIT_READ,
    columns=(
        "seq", "at", "role", "permission", "action", "entity", "entity_id", "before", "after", "reason", "request_id",
        "prev_hash", "hash", "actor",
    ),
    filters={
        "entity": (_TEXT, "e.entity"), "entity_id": (_TEXT, "e.entity_id"), "action": (_TEXT, "e.action"),
        "from": (_INSTANT, "e.at"), "to": (_INSTANT, "e.at"),
    },
    select=LOAD_AUDIT,
    owner="",
    order="e.seq",
)  # fmt: skip

_SOURCES = {source.name: source for source in (WORK_ORDERS, DEVICES, CUSTOMERS, SITES, CONTRACTS, COMPLAINTS, AUDIT)}
EXPORT_LISTS: dict[str, ExportList] = {name: source.find_list() for name, source in _SOURCES.items()}


def iterate_export(
    conn: Connection, name: str, values: Mapping[str, Any], *, customer_id: int | None
) -> Iterator[tuple[Any, ...]]:
    """Every row of the list as it is at one moment, in bounded memory; its values in the order of the columns."""
    query = _SOURCES[name].make_query()
    with conn.cursor(name="export") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query.encode(), {**values, "customer_id": customer_id})
        yield from cursor
