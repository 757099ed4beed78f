"""Planned maintenance: when the next occurrence is due, and what becomes of one. Pure.

Dates are those of the device's site. A FIXED plan counts from the installation, so that a month has its day again
after a shorter one; a FLOATING plan counts from the day on which the work was done.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.work_order import WorkOrderState


class PlanKind(StrEnum):
    """Values stand in the database and never change."""

    CALENDAR = "CALENDAR"
    USAGE = "USAGE"
    CONDITION = "CONDITION"


class PlanAnchor(StrEnum):
    """Values stand in the database and never change."""

    FIXED = "FIXED"
    FLOATING = "FLOATING"


class PlanState(StrEnum):
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class PlanUnit(StrEnum):
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class OccurrenceState(StrEnum):
    """Values stand in the database and never change."""

    UPCOMING = "UPCOMING"
    DUE = "DUE"
    OVERDUE = "OVERDUE"
    DONE = "DONE"
    SKIPPED = "SKIPPED"

    @property
    def is_open(self) -> bool:
        """Neither done nor skipped."""
        return self not in (OccurrenceState.DONE, OccurrenceState.SKIPPED)


class PlanGuard(StrEnum):
    """The rule that refused; a 409 names it. Values never change."""

    ENDED_ALREADY = "ended_already"
    REASON_MISSING = "reason_missing"
    OCCURRENCE_ENDED = "occurrence_ended"
    WORK_ORDER_OPEN = "work_order_open"


@dataclass(frozen=True, slots=True)
class Interval:
    """So many days, weeks, months or years."""

    count: int
    unit: PlanUnit


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan as somebody writes it."""

    name: str
    order_type: str
    kind: PlanKind
    anchor: PlanAnchor
    every_count: int | None = None
    every_unit: PlanUnit | None = None
    usage_sensor: str | None = None
    usage_every: float | None = None
    fault_group: str | None = None
    lead_days: int = 14
    priority: str = "P3"
    instructions: str = ""


@dataclass(frozen=True, slots=True)
class LastOccurrence:
    """The occurrence before: its number, when it was due, and when it was done (None: left out)."""

    number: int
    due_on: date | None
    done_on: date | None
    ended_on: date
    usage_target: float | None = None
    usage_total: float | None = None


@dataclass(frozen=True, slots=True)
class NextOccurrence:
    """The occurrence that comes next."""

    number: int
    due_on: date | None
    usage_target: float | None = None


def find_plan_problems(draft: PlanDraft, sensors: frozenset[str], fault_groups: frozenset[str]) -> Mapping[str, str]:
    """Field -> what is wrong with it; empty: the plan can be made."""
    problems: dict[str, str] = {}
    needed = {
        PlanKind.CALENDAR: ("every_count", "every_unit"),
        PlanKind.USAGE: ("usage_sensor", "usage_every"),
        PlanKind.CONDITION: ("fault_group",),
    }
    for kind, names in needed.items():
        for name in names:
            is_given = getattr(draft, name) is not None
            if draft.kind is kind and not is_given:
                problems[name] = f"is needed by a plan of kind {kind}"
            elif draft.kind is not kind and is_given:
                problems[name] = f"is only for a plan of kind {kind}"
    if draft.kind is PlanKind.USAGE and draft.usage_sensor is not None and draft.usage_sensor not in sensors:
        problems["usage_sensor"] = f"must be one of {', '.join(sorted(sensors))}"
    if draft.kind is PlanKind.CONDITION and draft.fault_group is not None and draft.fault_group not in fault_groups:
        problems["fault_group"] = f"must be one of {', '.join(sorted(fault_groups))}"
    return problems


def add_interval(start: date, every: Interval, times: int) -> date:
    """`times` intervals after `start`; where the month has no such day its last one, without losing the day."""
    match every.unit:
        case PlanUnit.DAY:
            return start + timedelta(days=every.count * times)
        case PlanUnit.WEEK:
            return start + timedelta(weeks=every.count * times)
        case PlanUnit.MONTH:
            months = every.count * times
        case PlanUnit.YEAR:
            months = 12 * every.count * times
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def find_next_by_calendar(
    every: Interval, anchor: PlanAnchor, installed_on: date, starts_on: date, last: LastOccurrence | None
) -> NextOccurrence:
    """The next occurrence of a CALENDAR plan.

    FIXED: the first planned date after what is behind; dates that passed while the work was late are not made up for.
    FLOATING: one interval after the work was done, or after it was due where it was left out.
    """
    if anchor is PlanAnchor.FLOATING and last is not None:
        since = last.done_on or last.due_on or last.ended_on
        return NextOccurrence(last.number + 1, add_interval(since, every, 1))
    behind = starts_on - timedelta(days=1)
    if last is not None:
        behind = max(last.due_on or last.ended_on, last.done_on or date.min)
    number = max(1, 0 if last is None else last.number + 1)
    # Close below by the longest that an interval can be, then step by step.
    longest = {PlanUnit.DAY: 1, PlanUnit.WEEK: 7, PlanUnit.MONTH: 31, PlanUnit.YEAR: 366}[every.unit] * every.count
    times = max(1, (behind - installed_on).days // longest)
    while add_interval(installed_on, every, times) <= behind:
        times += 1
    return NextOccurrence(number, add_interval(installed_on, every, times))


def find_next_by_usage(every: float, anchor: PlanAnchor, total: float, last: LastOccurrence | None) -> NextOccurrence:
    """The next occurrence of a USAGE plan. FIXED: the next multiple of `every` that is not behind; FLOATING: so much
    after the total at which the work was done, or after now where it never was."""
    number = 1 if last is None else last.number + 1
    if anchor is PlanAnchor.FIXED:
        behind = max(total, (last.usage_target or 0.0) if last is not None else 0.0)
        return NextOccurrence(number, None, (behind // every + 1) * every)
    since = total if last is None or last.usage_total is None else last.usage_total
    return NextOccurrence(number, None, since + every)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a counter has counted in all, and from where its present rate is measured."""

    total: float
    last_value: float
    last_at: datetime
    window_total: float
    window_at: datetime
    earlier_total: float
    earlier_at: datetime


WINDOW = timedelta(days=45)


def count_usage(before: Usage | None, value: float, at: datetime) -> Usage:
    """The usage after a reading of the counter. One that shows less than before was set back or changed: it counts on
    from zero. A reading that is older than the last one changes nothing."""
    if before is None:
        return Usage(value, value, at, value, at, value, at)
    if at <= before.last_at:
        return before
    total = before.total + (value - before.last_value if value >= before.last_value else max(value, 0.0))
    if at - before.window_at < WINDOW:
        return Usage(total, value, at, before.window_total, before.window_at, before.earlier_total, before.earlier_at)
    return Usage(total, value, at, total, at, before.window_total, before.window_at)


def find_usage_due_on(usage: Usage, target: float, today: date) -> date | None:
    """When the target is reached at the rate of the last weeks; today where it is; None: no rate can be told yet, or
    it would take more than ten years."""
    if usage.total >= target:
        return today
    days = (usage.last_at - usage.earlier_at) / timedelta(days=1)
    counted = usage.total - usage.earlier_total
    if days < 1 or counted <= 0:
        return None
    left = (target - usage.total) * days / counted
    return today + timedelta(days=int(left)) if left < 3653 else None


@dataclass(frozen=True, slots=True)
class OccurrenceFacts:
    """What is known of an occurrence at a moment; `today` is the site's."""

    state: OccurrenceState
    due_on: date | None
    lead_days: int
    today: date
    order_state: WorkOrderState | None  # None: it has none yet
    was_worked: bool  # the order's work is reported done


def needs_order(facts: OccurrenceFacts) -> bool:
    """Whether its work order is to be opened now. It gets one, once: also when that one was cancelled."""
    return (
        facts.state.is_open
        and facts.order_state is None
        and facts.due_on is not None
        and facts.today >= facts.due_on - timedelta(days=facts.lead_days)
    )


def find_occurrence_state(facts: OccurrenceFacts) -> OccurrenceState:
    """The state that follows from the order and the day. Done is what its order says when it is closed; one that is
    ended stays so."""
    if not facts.state.is_open:
        return facts.state
    if facts.order_state is WorkOrderState.CLOSED:
        return OccurrenceState.DONE
    if facts.due_on is not None and facts.today > facts.due_on and not facts.was_worked:
        return OccurrenceState.OVERDUE
    if facts.state is OccurrenceState.OVERDUE and facts.was_worked:
        return OccurrenceState.OVERDUE  # done late, whoever has yet to close it
    return OccurrenceState.UPCOMING if facts.order_state is None else OccurrenceState.DUE


def find_skip_refusal(state: OccurrenceState, order_state: WorkOrderState | None) -> tuple[PlanGuard, str] | None:
    """The guard that refuses to leave an occurrence out, or None."""
    if not state.is_open:
        return PlanGuard.OCCURRENCE_ENDED, f"it is {state} already"
    if order_state is not None and order_state.is_open:
        return PlanGuard.WORK_ORDER_OPEN, "its work order is open: cancel that one first"
    return None


def find_skip_problems(entity_id: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
    """What is wrong with asking for it; its reason says why, and there is nothing else to say."""
    return {f"payload.{name}": "is not known" for name in payload}
