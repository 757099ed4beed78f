"""How long there is to report to an authority, and until when: the day after one became aware is the first. Pure.

Sources: Regulation (EU) 2017/745 Article 87(3) to (5), Regulation 1182/71 Article 3(1); 21 CFR 803.10(c), 803.3 (work
day) and 803.53; China, Provisions for Medical Device Adverse Event Monitoring and Re-evaluation (SAMR Order No. 1 of
2018) Article 25, for one event within the country, Civil Code Article 201. Two terms run by law from what may be known
later than the incident: the threat (87(4)), the need for remedial action (803.10(c)(2)(i)).
It counts down; whether an event is reportable is a person's decision.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from domain.public_holidays import RELEASE, find_public_holidays
from domain.working_time import find_zone


class Jurisdiction(StrEnum):
    """Values stand in the database and never change."""

    EU = "EU"
    US = "US"
    CN = "CN"


class Harm(StrEnum):
    """What happened, or could happen if it came again. Values stand in the database and never change."""

    DEATH = "DEATH"
    SERIOUS_INJURY = "SERIOUS_INJURY"
    SERIOUS_PUBLIC_HEALTH_THREAT = "SERIOUS_PUBLIC_HEALTH_THREAT"
    MALFUNCTION_COULD_RECUR = "MALFUNCTION_COULD_RECUR"
    NONE = "NONE"


# Where the authority's day ends. Of the EU's several zones the one of its institutions.
ZONES = {Jurisdiction.EU: "Europe/Brussels", Jurisdiction.US: "America/New_York", Jurisdiction.CN: "Asia/Shanghai"}
# A warning comes when this share of the time is left.
WARN_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class ReportTerm:
    """So many days, and by which rule."""

    days: int
    is_working: bool  # Monday to Friday without public holidays; else every day counts
    rule: str


@dataclass(frozen=True, slots=True)
class ReportDue:
    """Until when, and when a warning is due; both on the authority's wall clock, as instants."""

    jurisdiction: Jurisdiction
    term: ReportTerm
    time_zone: str
    due_at: datetime
    warn_at: datetime
    holidays_release: str  # "" where every day counts


def find_term(
    jurisdiction: Jurisdiction, harm: Harm, *, is_unanticipated: bool = False, needs_remedial_action: bool = False
) -> ReportTerm | None:
    """The time that there is; None: no clock runs for what did and could do no harm."""
    if harm is Harm.NONE:
        return None
    match jurisdiction:
        case Jurisdiction.EU:
            if harm is Harm.SERIOUS_PUBLIC_HEALTH_THREAT:
                return ReportTerm(2, False, "EU MDR 2017/745 Art. 87(4): serious public health threat, 2 days")
            if harm is Harm.DEATH:
                return ReportTerm(10, False, "EU MDR 2017/745 Art. 87(5): death, 10 days")
            if is_unanticipated:
                rule = "EU MDR 2017/745 Art. 87(5): unanticipated serious deterioration of health, 10 days"
                return ReportTerm(10, False, rule)
            return ReportTerm(15, False, "EU MDR 2017/745 Art. 87(3): serious incident, 15 days")
        case Jurisdiction.US:
            if needs_remedial_action or harm is Harm.SERIOUS_PUBLIC_HEALTH_THREAT:
                return ReportTerm(5, True, "21 CFR 803.53: remedial action, 5 work days")
            return ReportTerm(30, False, "21 CFR 803.10(c)(1): 30 calendar days")
        case Jurisdiction.CN:
            # A threat to many is at least as urgent as one death.
            if harm in (Harm.DEATH, Harm.SERIOUS_PUBLIC_HEALTH_THREAT):
                return ReportTerm(7, False, "SAMR Order No. 1 (2018) Art. 25: death, 7 days")
            return ReportTerm(
                20, False, "SAMR Order No. 1 (2018) Art. 25: serious injury, or what could cause it, 20 days"
            )


def find_first_due(
    jurisdiction: Jurisdiction,
    harm: Harm,
    aware_at: datetime,
    *,
    is_unanticipated: bool = False,
    needs_remedial_action: bool = False,
    threat_known_at: datetime | None = None,
    remedial_need_known_at: datetime | None = None,
) -> ReportDue | None:
    """The first end of the terms that run: the incident's from `aware_at`, that of a threat and of remedial action from
    when these became known (None: with the incident). None: no clock runs.

    Of a threat that became known later and of which nothing is said of what happened, the incident counts as a death.
    """
    if harm is Harm.NONE:
        return None
    is_later = threat_known_at is not None and harm is Harm.SERIOUS_PUBLIC_HEALTH_THREAT
    of_incident = find_term(
        jurisdiction,
        Harm.DEATH if is_later else harm,
        is_unanticipated=is_unanticipated,
        needs_remedial_action=needs_remedial_action and remedial_need_known_at is None,
    )
    terms = [(of_incident, aware_at)]
    if threat_known_at is not None:
        terms.append((find_term(jurisdiction, Harm.SERIOUS_PUBLIC_HEALTH_THREAT), threat_known_at))
    if remedial_need_known_at is not None:
        terms.append((find_term(jurisdiction, harm, needs_remedial_action=True), remedial_need_known_at))
    dues = [find_due(jurisdiction, term, since) for term, since in terms if term is not None]
    return min(dues, key=lambda due: due.due_at)


def find_due(jurisdiction: Jurisdiction, term: ReportTerm, aware_at: datetime) -> ReportDue:
    """The end of the last day: `term.days` days after the day in the authority's zone on which one became aware of
    what the term is counted from."""
    zone = find_zone(ZONES[jurisdiction])
    aware_on = aware_at.astimezone(zone).date()
    last = find_working_day(aware_on, term.days) if term.is_working else aware_on + timedelta(days=term.days)
    # Midnight as its wall clock shows it, also when the clock changes in between.
    end = last + timedelta(days=1)
    due_at = datetime(end.year, end.month, end.day, tzinfo=zone).astimezone(UTC)
    warn_at = due_at - (due_at - aware_at.astimezone(UTC)) * WARN_SHARE
    return ReportDue(jurisdiction, term, ZONES[jurisdiction], due_at, warn_at, RELEASE if term.is_working else "")


def find_working_day(since: date, days: int) -> date:
    """The `days`-th day after `since` that is a working day in the United States: no weekend, no federal holiday."""
    off = {h.day for h in find_public_holidays("US", "", (since.year, since.year + 1)) if not h.is_worked}
    day = since
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in off:
            days -= 1
    return day
