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
    """A list with the query behind it: every column stands beside what it is made of, so none has the value of another,
    and every filter names its column, so none is offered that limits nothing."""

    name: str
    record: str
    permission: Permission
    columns: Mapping[str, str]  # each with what it is in the query
    filters: Mapping[str, tuple[FilterKind, str]]
    tables: str  # the query from FROM on
    owner: str  # whose rows they are, for an account of one customer; empty: it has none of them
    order: str

    def find_list(self) -> ExportList:
        """What can be asked for."""
        kinds = {name: kind for name, (kind, _) in self.filters.items()}
        return ExportList(self.name, self.record, self.permission, tuple(self.columns), kinds)

    def make_query(self) -> str:
        """The rows that are wanted, in order; parameters are the filters and `customer_id`."""
        of_customer = f" OR {self.owner} = %(customer_id)s" if self.owner else ""
        parts = [f"(%(customer_id)s::bigint IS NULL{of_customer})"]
        for name, (kind, column) in self.filters.items():
            sign = "<" if name.rpartition("_")[2] == "to" else ">="  # an end is not included
            parts.append(_CONDITIONS[kind].format(name=name, column=column, sign=sign))
        columns = ", ".join(self.columns.values())
        return f"SELECT {columns} {self.tables} WHERE {' AND '.join(parts)} ORDER BY {self.order}"


FROM_WORK_ORDERS = """
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
    columns={
        "code": "w.code", "type": "w.type", "source": "w.source", "priority": "w.priority", "state": "w.state",
        "hold_reason": "w.hold_reason", "fault_group": "w.fault_group", "title_code": "w.title_code",
        "serial": "d.serial", "model": "m.key", "gateway": "g.name", "site": "s.code", "customer": "c.code",
        "customer_name": "c.name", "region": "w.region", "breach_count": "w.breach_count", "outcome": "w.outcome",
        "failure_code": "w.failure_code", "version": "w.version", "reopen_count": "w.reopen_count",
        "response_due_at": "w.response_due_at", "resolution_due_at": "w.resolution_due_at",
        "responded_at": "w.responded_at", "resolved_at": "w.resolved_at", "response_breached": "w.response_breached",
        "resolution_breached": "w.resolution_breached", "created_at": "w.created_at", "updated_at": "w.updated_at",
        "closed_at": "w.closed_at", "is_simulated": "w.is_simulated", "assignee": "a.name",
        "assignee_name": "a.full_name", "created_by": "w.created_by", "serviced_by": "w.close_out ->> 'serviced_by'",
        "done_by": "w.close_out ->> 'done_by'",
    },
    filters={
        "state": (_TEXTS, "w.state"), "priority": (_TEXTS, "w.priority"), "type": (_TEXTS, "w.type"),
        "model": (_TEXTS, "m.key"), "customer": (_TEXTS, "c.code"), "serial": (_TEXT, "d.serial"),
        "region": (_TEXT, "w.region"), "open": (_FLAG, "w.state NOT IN ('CLOSED', 'CANCELLED')"),
        "created_from": (_INSTANT, "w.created_at"), "created_to": (_INSTANT, "w.created_at"),
    },
    tables=FROM_WORK_ORDERS,
    owner="w.customer_id",
    order="w.id",
)  # fmt: skip

FROM_DEVICES = """
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
    columns={
        "serial": "d.serial", "model": "m.key", "lot": "d.lot", "udi": "d.udi", "firmware": "d.firmware",
        "lifecycle": "d.lifecycle", "connectivity": "d.connectivity", "last_seen_at": "d.last_seen_at",
        "gateway": "g.name", "site": "s.code", "site_name": "s.name", "department": "s.department",
        "customer": "c.code", "customer_name": "c.name", "region": "d.region", "made_on": "d.made_on",
        "expires_on": "d.expires_on", "purchased_on": "d.purchased_on", "installed_on": "d.installed_on",
        "warranty_end": "d.warranty_end", "calibration_due": "d.calibration_due", "is_simulated": "d.is_simulated",
    },
    filters={
        "model": (_TEXTS, "m.key"), "firmware": (_TEXTS, "d.firmware"), "customer": (_TEXTS, "c.code"),
        "lifecycle": (_TEXTS, "d.lifecycle"), "connectivity": (_TEXTS, "d.connectivity"),
        "region": (_TEXT, "d.region"),
    },
    tables=FROM_DEVICES,
    owner="s.customer_id",
    order="d.serial",
)  # fmt: skip

CUSTOMERS = _ListSource(
    name="customers",
    record="customer",
    permission=Permission.CUSTOMER_READ,
    columns={
        "code": "c.code", "name": "c.name", "type": "c.type", "channel": "c.channel", "status": "c.status",
        "region": "c.region", "updated_at": "c.updated_at", "is_simulated": "c.is_simulated", "contacts": "c.contacts",
    },
    filters={
        "type": (_TEXTS, "c.type"), "status": (_TEXTS, "c.status"), "region": (_TEXT, "c.region"),
    },
    tables="FROM customer c",
    owner="c.id",
    order="c.code",
)  # fmt: skip

FROM_SITES = """
    FROM site s JOIN customer c ON c.id = s.customer_id LEFT JOIN service_calendar k ON k.id = s.service_calendar_id
"""
SITES = _ListSource(
    name="sites",
    record="site",
    permission=Permission.DEVICE_READ,
    columns={
        "code": "s.code", "customer": "c.code", "customer_name": "c.name", "name": "s.name",
        "department": "s.department", "address": "s.address", "time_zone": "s.time_zone", "region": "s.region",
        "service_calendar": "k.code", "external_refs": "s.external_refs", "updated_at": "s.updated_at",
        "is_simulated": "s.is_simulated",
    },
    filters={
        "customer": (_TEXTS, "c.code"), "region": (_TEXT, "s.region"),
    },
    tables=FROM_SITES,
    owner="s.customer_id",
    order="s.code",
)  # fmt: skip

_COVERED = """
    CASE WHEN k.covers_all THEN '*' ELSE coalesce((SELECT string_agg(d.serial, ' ' ORDER BY d.serial)
        FROM service_contract_device x JOIN device d ON d.id = x.device_id WHERE x.contract_id = k.id), '') END
"""
FROM_CONTRACTS = """
    FROM service_contract k JOIN customer c ON c.id = k.customer_id LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
"""
CONTRACTS = _ListSource(
    name="contracts",
    record="contract",
    permission=Permission.DEVICE_READ,
    columns={
        "code": "k.code", "customer": "c.code", "customer_name": "c.name", "coverage": "k.coverage",
        "starts_on": "k.starts_on", "ends_on": "k.ends_on", "status": "k.status", "status_since": "k.status_since",
        "remind_days": "k.remind_days", "sla_policy": "p.code", "covers_all": "k.covers_all",
        "devices": _COVERED,
        "region": "k.region", "external_refs": "k.external_refs", "updated_at": "k.updated_at",
        "is_simulated": "k.is_simulated",
    },
    filters={
        "customer": (_TEXTS, "c.code"), "status": (_TEXTS, "k.status"), "region": (_TEXT, "k.region"),
    },
    tables=FROM_CONTRACTS,
    owner="k.customer_id",
    order="k.code",
)  # fmt: skip

# What people wrote (details, correction, reply, reasons) is in no file, nor what the machine only counts.
FROM_COMPLAINTS = """
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
    columns={
        "code": "q.code", "state": "q.state", "version": "q.version", "received_at": "q.received_at",
        "severity": "q.severity", "device_name": "q.device_name", "device_identification": "q.device_identification",
        "serial": "d.serial", "model": "m.key", "customer": "c.code", "customer_name": "c.name",
        "fault_group": "q.fault_group", "work_order": "w.code", "joined_as": "q.joined_as",
        "investigated": "q.investigated", "harm": "a.harm", "decision": "a.decision",
        "reportable_in": "a.reportable_in", "next_report_due_at": "t.due_at",
        "is_report_overdue": "coalesce(t.is_overdue, false)", "closed_at": "q.closed_at",
        "external_refs": "q.external_refs", "region": "q.region", "created_at": "q.created_at",
        "updated_at": "q.updated_at", "is_simulated": "q.is_simulated", "reporter_name": "q.reporter_name",
        "reporter_address": "q.reporter_address", "reporter_phone": "q.reporter_phone",
        "investigation_decided_by": "q.investigation_decided_by", "created_by": "q.created_by",
    },
    filters={
        "state": (_TEXTS, "q.state"), "severity": (_TEXTS, "q.severity"), "customer": (_TEXTS, "c.code"),
        "model": (_TEXTS, "m.key"), "serial": (_TEXT, "d.serial"), "region": (_TEXT, "q.region"),
        "decision": (_TEXTS, "coalesce(a.decision, 'UNDECIDED')"), "received_from": (_INSTANT, "q.received_at"),
        "received_to": (_INSTANT, "q.received_at"),
    },
    tables=FROM_COMPLAINTS,
    owner="q.customer_id",
    order="q.id",
)  # fmt: skip

# Who acted is a column of its own; an account is also what some events are about.
AUDIT = _ListSource(
    name="audit",
    record="audit",
    permission=Permission.AUDIT_READ,
    columns={
        "seq": "e.seq", "at": "e.at", "role": "e.role", "permission": "e.permission", "action": "e.action",
        "entity": "e.entity", "entity_id": "e.entity_id", "before": "e.before", "after": "e.after",
        "reason": "e.reason", "request_id": "e.request_id", "prev_hash": "e.prev_hash", "hash": "e.hash",
        "actor": "e.actor",
    },
    filters={
        "entity": (_TEXT, "e.entity"), "entity_id": (_TEXT, "e.entity_id"), "action": (_TEXT, "e.action"),
        "from": (_INSTANT, "e.at"), "to": (_INSTANT, "e.at"),
    },
    tables="FROM audit_event e",
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
