"""The SLA clocks of a work order, counted anew from their events."""

from typing import Annotated

from api.auth import Caller, require
from api.problems import declare
from api.routes.work_orders import find_row
from api.shapes.sla_clocks import ClockEventShape, ClockShape, LimitShape, OrderClocks, StretchShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.roles import Permission
from domain.sla_clock import Clock, ClockEvent, ClockEventKind, Limit, read_clock
from domain.sla_story import LANGUAGES, explain_clock
from store.sla_clocks import ClockKey, TermsNames, load_clock_events, load_terms_names
from store.work_orders import load_work_order

router = make_router("/work-orders", tag="SLA")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]


@router.get("/{code}/sla", summary="SLA clocks of a work order", responses=declare(404))
def read_order_clocks(code: str, caller: Reader, pool: Database) -> OrderClocks:
    """Every clock with its events, what was counted and what was not, by which version of which policy and calendar,
    and the sum in sentences. All of it is computed from the events at this moment.
    """
    at = now()
    with pool.connection() as conn:
        find_row(conn, code, caller)
        order = load_work_order(conn, code)
        assert order is not None
        events = load_clock_events(conn, [order.id])
        names = load_terms_names(conn, [e.terms for listed in events.values() for e in listed if e.terms is not None])
    is_insider = caller.customer_id is None
    shapes = []
    for key, listed in sorted(events.items(), key=lambda item: (-item[0][1], item[0][2])):
        clock = read_clock(listed, at)
        if clock is not None:
            shapes.append(_shape(key, clock, listed, names, is_insider=is_insider))
    return OrderClocks(work_order=code, at=at, items=shapes)


def _shape(key: ClockKey, clock: Clock, events: list[ClockEvent], names: TermsNames, *, is_insider: bool) -> ClockShape:
    _, version, kind = key
    return ClockShape(
        clock=kind,
        version=version,
        state=clock.state,
        started_at=clock.started_at,
        due_at=clock.due_at,
        due_soon_at=clock.due_soon_at,
        paused_since=clock.paused_since,
        pause_reason=clock.pause_reason,
        met_at=clock.met_at,
        breached_at=clock.breached_at,
        warned_at=clock.warned_at,
        waived_at=clock.waived_at,
        waiver_reason=clock.waiver_reason if is_insider else "",
        stopped_at=clock.stopped_at,
        limits=[
            _shape_limit(limit, names, governs=place == clock.governing) for place, limit in enumerate(clock.limits)
        ],
        stretches=[
            StretchShape(
                since=s.since,
                until=s.until,
                counted=s.is_counted,
                reason=s.reason,
                worked_h=s.worked.total_seconds() / 3600,
            )
            for s in clock.stretches
        ],
        events=[
            # What people wrote about a waiver stays in the house.
            ClockEventShape(
                kind=e.kind, at=e.at, reason=e.reason if is_insider or e.kind is not ClockEventKind.WAIVED else ""
            )
            for e in events
        ],
        explanation={language: explain_clock(clock, language) for language in LANGUAGES},
    )


def _shape_limit(limit: Limit, names: TermsNames, *, governs: bool) -> LimitShape:
    terms = limit.terms
    policy, policy_version = names.policies.get(terms.policy_version_id or 0, (None, None))
    calendar, calendar_version = names.calendars.get(terms.calendar_version_id or 0, (None, None))
    return LimitShape(
        since=limit.since,
        allowed_h=terms.allowed.total_seconds() / 3600,
        used_h=limit.used.total_seconds() / 3600,
        left_h=limit.left.total_seconds() / 3600,
        governs=governs,
        sla_policy=policy,
        sla_policy_version=policy_version,
        service_calendar=calendar,
        service_calendar_version=calendar_version,
        time_zone=terms.schedule.zone_name,
        pauses=sorted(terms.pauses),
        due_soon_share=terms.due_soon_share,
    )
