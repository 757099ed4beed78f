"""A calendar and an SLA policy, each in its second version, and what housekeeping last kept readings by."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from domain.audit import Actor
from domain.roles import Permission
from domain.service_calendar import CalendarDraft, SpecialDay
from domain.sla_policy import PriorityTerms, SlaPolicy
from service_link.housekeeping import find_kept_days
from service_link.settings import ServiceLinkSettings
from store.pool import Connection
from store.retention_classes import apply_days
from store.service_calendars import change_calendar, create_calendar
from store.sla_policies import change_policy, create_policy

MARA = Actor("mara", "service_manager", Permission.SLA_POLICY_WRITE.value)
CALENDAR, POLICY = "de-by-office", "gold"
WEEK = (((480, 720), (780, 1020)),) * 4 + (((480, 840),), (), ())
TERMS = (
    PriorityTerms(1, 4, around_the_clock=True),
    PriorityTerms(4, 8),
    PriorityTerms(8, 24),
    PriorityTerms(16, 80),
)


def make_configuration(conn: Connection, now: datetime) -> None:
    """Nothing counts by them: no site has the calendar, no contract the policy."""
    made, changed = now - timedelta(days=200), now - timedelta(days=9)
    draft = CalendarDraft(WEEK, "DE", "BY")
    closing = SpecialDay(date(now.year, 12, 24), ((480, 720),), "Christmas Eve")
    create_calendar(conn, MARA, CALENDAR, "Office hours, Bavaria", draft, reason="hours of the depot", now=made)
    later = replace(draft, own_days=(closing,))
    change_calendar(
        conn,
        MARA,
        CALENDAR,
        "Office hours, Bavaria",
        later,
        expected_row_version=None,
        reason="half a day",
        now=changed,
    )
    policy = SlaPolicy(TERMS)
    create_policy(conn, MARA, POLICY, "Gold", policy, CALENDAR, reason="contracts of 2026", now=made)
    stricter = replace(policy, terms=(replace(TERMS[0], response_h=0.5), *TERMS[1:]), due_soon_share=0.3)
    change_policy(
        conn, MARA, POLICY, "Gold", stricter, CALENDAR, expected_row_version=None, reason="as Klinikum Lindental asked",
        now=changed,
    )  # fmt: skip
    apply_days(conn, find_kept_days(ServiceLinkSettings("")), now - timedelta(minutes=4))
