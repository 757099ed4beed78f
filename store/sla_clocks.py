"""SLA clocks as rows: their events, written once, and the line that is derived from them for lists and ticks."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from domain.service_calendar import AROUND_THE_CLOCK, ServiceCalendar
from domain.sla import ClockTerms
from domain.sla_changes import ClockChange, find_clock_changes, needs_terms
from domain.sla_clock import Clock, ClockEvent, ClockEventKind, read_clock
from domain.sla_policy import ClockKind
from domain.work_order import HoldReason, WorkOrder
from domain.working_time import find_schedule
from store.pool import Connection
from store.service_calendar_bodies import load_calendar_bodies
from store.sla_terms import load_terms_of

ClockKey = tuple[int, int, ClockKind]  # order, version of it, kind

LOAD_EVENTS = """
    SELECT e.*, v.sha256 AS calendar_sha256 FROM sla_event e
    LEFT JOIN service_calendar_version v ON v.id = e.calendar_version_id
    WHERE e.work_order_id = ANY (%s) ORDER BY e.work_order_id, e.id
"""


def load_clock_events(conn: Connection, order_ids: Collection[int]) -> dict[ClockKey, list[ClockEvent]]:
    """The events of every clock of these orders, in the order in which they were recorded."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_EVENTS, (list(order_ids),)).fetchall()
    used = {(r["calendar_version_id"], r["calendar_sha256"]) for r in rows if r["calendar_version_id"] is not None}
    calendars = load_calendar_bodies(conn, used) if used else {}
    events: dict[ClockKey, list[ClockEvent]] = defaultdict(list)
    for row in rows:
        key = (row["work_order_id"], row["version"], ClockKind(row["clock"]))
        terms = None if row["allowed_s"] is None else _to_terms(row, calendars)
        events[key].append(ClockEvent(ClockEventKind(row["kind"]), row["at"], row["reason"], terms))
    return events


def _to_terms(row: Mapping[str, Any], calendars: Mapping[int, ServiceCalendar]) -> ClockTerms:
    version_id = row["calendar_version_id"]
    calendar = AROUND_THE_CLOCK if version_id is None else calendars[version_id]
    return ClockTerms(
        timedelta(seconds=row["allowed_s"]),
        find_schedule(calendar, row["time_zone"]),
        frozenset(HoldReason(reason) for reason in row["pauses"]),
        row["due_soon_share"],
        row["policy_version_id"],
        version_id,
    )


# A breach is said once, whatever the line of the clock says.
RECORD_EVENTS = """
    INSERT INTO sla_event (work_order_id, version, clock, kind, at, reason, allowed_s, due_soon_share, pauses,
        time_zone, policy_version_id, calendar_version_id, profile_version)
    SELECT e.work_order_id, e.version, e.clock, e.kind, e.at, e.reason, e.allowed_s, e.due_soon_share,
        string_to_array(e.pauses, ','), e.time_zone, e.policy_version_id, e.calendar_version_id,
        CASE WHEN e.allowed_s IS NOT NULL AND e.policy_version_id IS NULL THEN (
            SELECT m.current_version FROM work_order w JOIN device d ON d.id = w.device_id
            JOIN device_model m ON m.id = d.device_model_id WHERE w.id = e.work_order_id) END
    FROM unnest(%s::bigint[], %s::integer[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
        %s::double precision[], %s::double precision[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS e (work_order_id, version, clock, kind, at, reason, allowed_s, due_soon_share, pauses,
            time_zone, policy_version_id, calendar_version_id, place)
    ORDER BY e.place
    ON CONFLICT (work_order_id, version, clock) WHERE kind = 'BREACHED' DO NOTHING
"""
CLOCK_COLUMNS = {
    "state": "text",
    "started_at": "timestamptz",
    "allowed_s": "double precision",
    "used_s": "double precision",
    "due_at": "timestamptz",
    "due_soon_at": "timestamptz",
    "paused_since": "timestamptz",
    "pause_reason": "text",
    "met_at": "timestamptz",
    "breached_at": "timestamptz",
    "breach_said": "boolean",
    "warned_at": "timestamptz",
    "waived_at": "timestamptz",
    "waiver_reason": "text",
    "stopped_at": "timestamptz",
    "policy_version_id": "bigint",
    "calendar_version_id": "bigint",
}
_ARRAYS = ", ".join(f"%s::{type_}[]" for type_ in CLOCK_COLUMNS.values())
RECORD_CLOCKS = f"""
    INSERT INTO sla_clock (work_order_id, version, clock, {", ".join(CLOCK_COLUMNS)})
    SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::text[], {_ARRAYS})
    ON CONFLICT (work_order_id, version, clock) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in CLOCK_COLUMNS)}
"""  # noqa: S608


def record_clock_changes(conn: Connection, changes: Sequence[ClockChange]) -> dict[ClockKey, Clock]:
    """Writes the events and what they make of their clocks; the clocks. The caller holds the locks of the orders."""
    if not changes:
        return {}
    begun = {change.clock for change in changes if change.event.kind is ClockEventKind.STARTED}
    old = {change.work_order_id for change in changes if change.clock not in begun}
    events = load_clock_events(conn, old) if old else {}
    changed: dict[ClockKey, list[ClockEvent]] = {}
    for change in changes:
        changed.setdefault(change.clock, events.get(change.clock, [])).append(change.event)
    _insert_events(conn, changes)
    return record_clocks(conn, {key: read_events(listed) for key, listed in changed.items()})


def read_events(events: Sequence[ClockEvent]) -> Clock | None:
    """The clock as of its last event; what time alone makes of it later is for ticks to find."""
    return read_clock(events, events[-1].at) if events else None


def record_clocks(conn: Connection, clocks: Mapping[ClockKey, Clock | None]) -> dict[ClockKey, Clock]:
    """Writes the lines of these clocks; those that there are. An order without a start has none."""
    kept = {key: clock for key, clock in clocks.items() if clock is not None}
    if kept:
        rows = [find_clock_row(key, clock) for key, clock in kept.items()]
        conn.execute(RECORD_CLOCKS.encode(), [list(column) for column in zip(*rows, strict=True)])
    return kept


def find_clock_row(key: ClockKey, clock: Clock) -> tuple[Any, ...]:
    """What the line of a clock says: its key, then `CLOCK_COLUMNS`."""
    limit = clock.limit
    return (
        *key,
        clock.state,
        clock.started_at,
        limit.terms.allowed.total_seconds(),
        limit.used.total_seconds(),
        clock.due_at,
        clock.due_soon_at,
        clock.paused_since,
        clock.pause_reason,
        clock.met_at,
        clock.breached_at,
        clock.breach_said,
        clock.warned_at,
        clock.waived_at,
        clock.waiver_reason,
        clock.stopped_at,
        limit.terms.policy_version_id,
        limit.terms.calendar_version_id,
    )


def _insert_events(conn: Connection, changes: Iterable[ClockChange]) -> None:
    rows = [
        (*change.clock, change.event.kind, change.event.at, change.event.reason, *_find_terms_row(change.event))
        for change in changes
    ]
    conn.execute(RECORD_EVENTS, [list(column) for column in zip(*rows, strict=True)])


def _find_terms_row(event: ClockEvent) -> tuple[Any, ...]:
    terms = event.terms
    if terms is None:
        return (None,) * 6
    return (
        terms.allowed.total_seconds(),
        terms.due_soon_share,
        ",".join(sorted(terms.pauses)),
        terms.schedule.zone_name,
        terms.policy_version_id,
        terms.calendar_version_id,
    )


@dataclass(frozen=True, slots=True)
class TermsNames:
    """(code, version) of policies and calendars by the ids of their versions."""

    policies: Mapping[int, tuple[str, int]]
    calendars: Mapping[int, tuple[str, int]]


LOAD_POLICY_NAMES = """
    SELECT v.id, p.code, v.version FROM sla_policy_version v JOIN sla_policy p ON p.id = v.sla_policy_id
    WHERE v.id = ANY (%s)
"""
LOAD_CALENDAR_NAMES = """
    SELECT v.id, c.code, v.version FROM service_calendar_version v
    JOIN service_calendar c ON c.id = v.service_calendar_id WHERE v.id = ANY (%s)
"""


def load_terms_names(conn: Connection, terms: Sequence[ClockTerms]) -> TermsNames:
    """What the policies and calendars of these terms are called."""
    policies = [t.policy_version_id for t in terms if t.policy_version_id is not None]
    calendars = [t.calendar_version_id for t in terms if t.calendar_version_id is not None]
    return TermsNames(
        {i: (code, version) for i, code, version in conn.execute(LOAD_POLICY_NAMES, (policies,))},
        {i: (code, version) for i, code, version in conn.execute(LOAD_CALENDAR_NAMES, (calendars,))},
    )


def load_clocks(conn: Connection, order_id: int, version: int, at: datetime) -> dict[ClockKind, Clock]:
    """The clocks of that version of the order as of `at`, from their events."""
    clocks = {}
    for (_, of, kind), events in load_clock_events(conn, [order_id]).items():
        clock = read_clock(events, at) if of == version else None
        if clock is not None:
            clocks[kind] = clock
    return clocks


def settle_clocks(conn: Connection, before: WorkOrder, after: WorkOrder, now: datetime) -> WorkOrder:
    """`after` with the due times that its clocks have now; writes what this change does to them.

    Whoever changes an order calls it, with the order locked, before `after` is written: state, hold, priority, version,
    `responded_at` and `resolved_at` decide.
    """
    terms = load_terms_of(conn, after) if needs_terms(before, after) else None
    clocks = load_clocks(conn, before.id, before.version, now)
    changes = find_clock_changes(before, after, now, terms=terms, clocks=clocks)
    return apply_clocks(after, record_clock_changes(conn, changes))


def apply_clocks(order: WorkOrder, clocks: Mapping[ClockKey, Clock]) -> WorkOrder:
    """The order with the due times of those of its clocks that are given."""
    response = clocks.get((order.id, order.version, ClockKind.RESPONSE))
    resolution = clocks.get((order.id, order.version, ClockKind.RESOLUTION))
    if response is not None:
        order = replace(order, response_due_at=response.due_at)
    return order if resolution is None else replace(order, resolution_due_at=resolution.due_at)
