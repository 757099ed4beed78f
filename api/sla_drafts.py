"""SLA policies and calendars as somebody wants them, read for the API and for the console's forms alike."""

from collections.abc import Sequence

from api.problems import INVALID, ProblemError
from api.shapes.service_calendars import CalendarContent
from api.shapes.sla import PolicyContent
from domain.public_holidays import find_unknown_place
from domain.service_calendar import WEEKDAYS, CalendarDraft, Spans, SpecialDay, find_calendar_problems, parse_spans
from domain.sla_policy import ClockKind, SlaPolicy, find_policy_problems, policy_from_json
from domain.work_order import HoldReason
from store.pool import Connection
from store.service_calendars import CALENDARS


def read_policy_draft(body: PolicyContent) -> SlaPolicy:
    """The policy that is wanted.

    Raises
    ------
    ProblemError
        422 that names each field at fault.
    """
    known = {reason.value for reason in HoldReason}
    problems = {
        f"pauses.{kind}": f"must be of {', '.join(sorted(known))}"
        for kind in ClockKind
        if not set(getattr(body.pauses, kind)) <= known
    }
    if problems:
        raise ProblemError(INVALID, fields=problems)
    policy = policy_from_json(body.model_dump(include={"terms", "pauses", "due_soon_share"}))
    problems = dict(find_policy_problems(policy))
    if problems:
        raise ProblemError(INVALID, fields=problems)
    return policy


def check_calendar(conn: Connection, code: str | None) -> None:
    """Returns where the calendar that a policy names is there, or it names none.

    Raises
    ------
    ProblemError
        422.
    """
    if code is not None and CALENDARS.load(conn, code) is None:
        raise ProblemError(INVALID, fields={"service_calendar": "there is no calendar of that code"})


def read_calendar_draft(body: CalendarContent) -> CalendarDraft:
    """The calendar that is wanted.

    Raises
    ------
    ProblemError
        422 that names each field at fault.
    """
    problems: dict[str, str] = {}

    def read(field: str, texts: Sequence[str]) -> Spans:
        spans = parse_spans(texts)
        if spans is None:
            problems[field] = "must be like 08:00-12:30, from 00:00 to 24:00"
        return spans or ()

    weekly = tuple(read(f"weekly.{name}", getattr(body.weekly, name)) for name in WEEKDAYS)
    own = tuple(
        SpecialDay(day.day, read(f"own_days[{place}].hours", day.hours), day.name)
        for place, day in enumerate(body.own_days)
    )
    draft = CalendarDraft(weekly, body.country, body.subdivision, own)
    problems = problems or dict(find_calendar_problems(draft))
    unknown = find_unknown_place(body.country, body.subdivision) if body.country else None
    if unknown is not None:
        problems[unknown[0]] = unknown[1]
    if problems:
        raise ProblemError(INVALID, fields=problems)
    return draft
