"""Judges the days of devices: today's again and again, a past one when it is over and when late readings reach it.

One round judges a bounded number of device-days in one transaction; whoever is killed in it loses nothing, and the same
round again gives the same rows and says no alert twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from domain.data_quality import (
    CONNECTIVITY_OWING,
    LIFECYCLE_OWING,
    AlertKind,
    DayCounts,
    Expectation,
    Span,
    StateChange,
    find_common,
    find_expectation,
    find_spans_in,
    judge_day,
)
from domain.profile import DataQualityPolicy, Profile
from store.data_quality import (
    DueDevice,
    JudgedState,
    Verdict,
    load_changes,
    load_counted,
    load_due_devices,
    load_first_observed,
    load_series_of,
    record_judged,
    record_verdicts,
)
from store.device_days import IngestState, load_ingest_states
from store.pool import Connection
from store.profiles import load_profiles
from store.rollups import load_counts

# Triage waits for a round: 20 devices of three sensors with a reading a second take a quarter of a second at most (the
# readings of the last hour or so are counted one by one), 20 with a reading a minute some hundredths.
DEVICES_AT_ONCE = 20
DEVICE_DAYS_AT_ONCE = 100
JUDGE_EVERY = timedelta(minutes=5)
# A device that has just begun to report is looked at sooner, so that its page soon knows how complete its data are.
NEW_FOR = timedelta(minutes=15)
JUDGE_NEW_EVERY = timedelta(seconds=30)
# What was observed so lately may still be under way; a day that is over is judged for good this long after its end.
UNDER_WAY = timedelta(seconds=30)
SETTLED = timedelta(minutes=15)
# How far back late readings are followed, and how often: data that was kept for longer changes no verdict.
LATE_DAYS = 31
FOLLOW_LATE_EVERY = timedelta(hours=1)

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """All that the days of one round are judged by."""

    now: datetime
    profiles: Mapping[str, Profile]
    series: Mapping[int, Mapping[str, int]]
    present: Mapping[tuple[int, date], int]
    counted: Mapping[tuple[int, date], DayCounts]
    changes: Mapping[tuple[int, str], list[StateChange]]
    states: Mapping[int, IngestState]
    first_observed: Mapping[int, datetime]


def judge_devices(conn: Connection, now: datetime) -> tuple[int, int]:
    """How many device-days were judged, and how many alerts were said, in one transaction of a bounded size."""
    with conn.transaction():
        today = now.date()
        due = load_due_devices(
            conn, now - JUDGE_EVERY, now - JUDGE_NEW_EVERY, now - NEW_FOR, today - DAY, DEVICES_AT_ONCE
        )
        if not due:
            return 0, 0
        profiles = load_profiles(conn)
        new = [device.id for device in due if device.first_observed_at is None]
        first_observed = load_first_observed(conn, new)
        first_observed |= {device.id: device.first_observed_at for device in due if device.first_observed_at}
        chosen = _choose_days(due, first_observed, now)
        known = _load_known(conn, chosen, profiles, first_observed, now)
        verdicts = [
            _judge(device, day, known)
            for device, first_day in chosen
            if device.model in profiles
            for day in _find_days(first_day, today)
        ]
        alerts = record_verdicts(conn, verdicts, now)
        record_judged(conn, [_find_state(device, first_day, known) for device, first_day in chosen], now)
    return len(verdicts), alerts


def _choose_days(
    due: list[DueDevice], first_observed: Mapping[int, datetime], now: datetime
) -> list[tuple[DueDevice, date]]:
    """Each device with the first day that is to be judged, as many as one round takes."""
    chosen: list[tuple[DueDevice, date]] = []
    left = DEVICE_DAYS_AT_ONCE
    for device in due:
        first_day = find_first_day(device, first_observed.get(device.id), now)
        left -= (now.date() - first_day).days + 1
        if left < 0 and chosen:
            break
        chosen.append((device, first_day))
    return chosen


def find_first_day(device: DueDevice, first_observed_at: datetime | None, now: datetime) -> date:
    """From which day on a device is judged now: the last one that was not over when it was judged, or, when late
    readings came since, as far back as they are followed; not before its first reading."""
    today = now.date()
    oldest = today - (LATE_DAYS - 1) * DAY
    begin = first_observed_at.date() if first_observed_at is not None else today
    if device.judged_at is None or _follows_late(device, now):
        first_day = oldest
    else:
        first_day = max(oldest, (device.judged_at - SETTLED).date())
    return min(today, max(first_day, begin))


def _follows_late(device: DueDevice, now: datetime) -> bool:
    moved = device.late_then is not None and device.late != device.late_then
    return moved and (device.past_judged_at is None or now - device.past_judged_at >= FOLLOW_LATE_EVERY)


def _find_days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def _load_known(
    conn: Connection,
    chosen: list[tuple[DueDevice, date]],
    profiles: Mapping[str, Profile],
    first_observed: Mapping[int, datetime],
    now: datetime,
) -> _Known:
    device_ids = [device.id for device, _ in chosen]
    first_day = min(day for _, day in chosen)
    series = load_series_of(conn, device_ids)
    present: dict[tuple[int, date], int] = {}
    # One look for all that need as many days: nearly always today alone.
    for begin in sorted({day for _, day in chosen}):
        wanted = [
            series_id
            for device, day in chosen
            if day == begin and device.model in profiles
            for sensor in profiles[device.model].sensors
            if sensor.interval_s is not None and (series_id := series.get(device.id, {}).get(sensor.key)) is not None
        ]
        if wanted:
            found = load_counts(conn, begin, now.date(), series_ids=wanted)
            present |= {(count.series_id, count.day): count.n for count in found}
    return _Known(
        now=now,
        profiles=profiles,
        series=series,
        present=present,
        counted=load_counted(conn, device_ids, first_day),
        changes=load_changes(conn, device_ids, _begin_of(first_day)),
        states=load_ingest_states(conn, device_ids),
        first_observed=first_observed,
    )


def _begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _judge(device: DueDevice, day: date, known: _Known) -> Verdict:
    begin, end = _begin_of(day), _begin_of(day + DAY)
    is_over = known.now >= end + SETTLED
    until = min(end, max(begin, known.now - UNDER_WAY))
    owing = _find_owing(device, begin, until, known)
    profile = known.profiles[device.model]
    expectation = Expectation()
    for sensor in profile.sensors:
        if sensor.interval_s is not None:
            series_id = known.series.get(device.id, {}).get(sensor.key)
            present = 0 if series_id is None else known.present.get((series_id, day), 0)
            expectation += find_expectation(owing, sensor.interval_s, present, (end - until).total_seconds())
    counts = known.counted.get((device.id, day), DayCounts())
    state = known.states.get(device.id)
    skew_s = state.skew_s if state is not None and state.skew_at is not None and state.skew_at.date() == day else None
    policy = profile.data_quality
    return Verdict(
        device=device,
        day=day,
        quality=judge_day(expectation, counts, skew_s, policy, is_over=is_over),
        received=counts.received,
        skew_s=skew_s,
        least_completeness=1.0 - policy.max_missing,
        judged_until=until,
        is_over=is_over,
        limits=_find_limits(policy),
    )


def _find_owing(device: DueDevice, begin: datetime, until: datetime, known: _Known) -> list[Span]:
    first = known.first_observed.get(device.id)
    if first is None:
        return []
    if device.installed_on is not None:
        first = max(first, _begin_of(device.installed_on))
    begin = max(begin, first)
    if begin >= until:
        return []
    lifecycle = [c for c in known.changes.get((device.id, "lifecycle"), []) if c.at >= begin]
    connectivity = [c for c in known.changes.get((device.id, "connectivity"), []) if c.at >= begin]
    return find_common(
        find_spans_in(lifecycle, device.lifecycle, LIFECYCLE_OWING, begin, until),
        find_spans_in(connectivity, device.connectivity, CONNECTIVITY_OWING, begin, until),
    )


def _find_limits(policy: DataQualityPolicy) -> dict[AlertKind, float]:
    return {
        AlertKind.MISSING: policy.max_missing,
        AlertKind.DUPLICATE: policy.max_duplicate,
        AlertKind.INCONSISTENT: policy.max_inconsistent,
        AlertKind.IMPLAUSIBLE: policy.max_implausible,
        AlertKind.CLOCK_SKEW: policy.max_skew_s,
    }


def _find_state(device: DueDevice, first_day: date, known: _Known) -> JudgedState:
    is_past = device.judged_at is None or _follows_late(device, known.now)
    return JudgedState(
        device_id=device.id,
        first_observed_at=known.first_observed.get(device.id),
        late=device.late if is_past or device.late_then is None else device.late_then,
        past_judged_at=known.now if is_past or device.past_judged_at is None else device.past_judged_at,
    )
