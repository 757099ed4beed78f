"""Watches how readings and scores are distributed, day by day: a warning comes before orders are in vain.

Of every device model 200 devices at most are looked at, always the same ones. A day is counted once, when its hours are
rolled up; one call counts a few days and leaves the others to the next.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from domain.profile import MonitorRule, Profile
from domain.stability import count_between, find_psi, find_state, find_usual_psi, make_edges, make_score_edges
from store.drift import (
    DriftDay,
    DriftKey,
    Histogram,
    Sample,
    load_edges,
    load_first_hour,
    load_fleets,
    load_histograms,
    load_input_samples,
    load_last_day,
    load_score_samples,
    record_drift,
    record_histograms,
    remove_old_drift,
)
from store.pool import Connection
from store.profiles import load_profile_versions
from store.rollups import load_rollup_state

MOST_DEVICES = 200
MIN_DEVICES = 10
DAYS_AT_ONCE = 4  # counted in one call for one fleet
DAY = timedelta(days=1)
CURRENT_DAYS = 7
REFERENCE_DAYS = 28
LEAST_REFERENCE_DAYS = 14
REMEMBERED_DAYS = 90  # the reference is the oldest that is remembered, so that a slow drift is far from it
KEPT_DAYS = 400
# Scores that are rolled up by minute: see anomaly/rollup.py.
SCORING_RULES = (MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY)


def watch_drift(conn: Connection, now: datetime, keep_on: Callable[[], bool] = lambda: True) -> list[DriftDay]:
    """The drifts that were said by this call (`model.drift`)."""
    complete_to = load_rollup_state(conn).hours_to.date() - DAY  # the last day that is over and rolled up
    versions = load_profile_versions(conn)
    said: list[DriftDay] = []
    for (model_id, is_simulated), device_ids in load_fleets(conn, MOST_DEVICES).items():
        if len(device_ids) < MIN_DEVICES:
            continue
        last = load_last_day(conn, model_id, is_simulated=is_simulated)
        oldest = complete_to - (REMEMBERED_DAYS - 1) * DAY
        since = oldest if last is None else max(last + DAY, oldest)
        first = load_first_hour(conn, device_ids, _begin(since))
        day = complete_to + DAY if first is None else first.date()
        counted = 0
        while day <= complete_to and counted < DAYS_AT_ONCE and keep_on():
            profile = versions[model_id][-1]
            histograms = _count_day(conn, model_id, profile, device_ids, day, is_simulated=is_simulated)
            counted += 1
            with conn.transaction():
                record_histograms(conn, histograms)
                days = judge_day(conn, model_id, profile.model, day, is_simulated=is_simulated)
                said += record_drift(conn, days, now)
            day += DAY
    with conn.transaction():
        remove_old_drift(conn, now.date() - KEPT_DAYS * DAY)
    return said


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _count_day(
    conn: Connection, model_id: int, profile: Profile, device_ids: Sequence[int], day: date, *, is_simulated: bool
) -> list[Histogram]:
    begin = _begin(day)
    thresholds = {m.key: m.raise_at for m in profile.monitors if m.rule in SCORING_RULES and m.raise_at is not None}
    histograms: list[Histogram] = []
    for kind in ("input", "score"):
        if kind == "input":
            samples = load_input_samples(conn, device_ids, begin, begin + DAY)
        else:
            samples = load_score_samples(conn, device_ids, list(thresholds), begin, begin + DAY)
        edges = load_edges(conn, model_id, kind, is_simulated=is_simulated)
        for subject, own in _group(samples).items():
            known = edges.get(subject)
            if known is None:
                known = make_score_edges(thresholds[subject]) if kind == "score" else make_edges([s[3] for s in own])
            for firmware in {"", *(s[2] for s in own)}:
                chosen = [s for s in own if firmware in ("", s[2])]
                devices = len({s[1] for s in chosen})
                if devices >= MIN_DEVICES:
                    key = DriftKey(model_id, is_simulated, kind, subject, firmware)
                    counts = count_between([s[3] for s in chosen], known)
                    histograms.append(Histogram(key, day, devices, known, tuple(counts)))
    return histograms


def _group(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample[0]].append(sample)
    return groups


def judge_day(conn: Connection, model_id: int, model: str, day: date, *, is_simulated: bool) -> list[DriftDay]:
    """How far the week up to `day` is from the reference, for everything that has one."""
    of_key: dict[DriftKey, list[Histogram]] = defaultdict(list)
    first = day - (REMEMBERED_DAYS - 1) * DAY
    for histogram in load_histograms(conn, model_id, first, day, is_simulated=is_simulated):
        of_key[histogram.key].append(histogram)
    judged = [_judge(key, model, histograms, day) for key, histograms in of_key.items()]
    return [found for found in judged if found is not None]


def _judge(key: DriftKey, model: str, histograms: Sequence[Histogram], day: date) -> DriftDay | None:
    """None where the reference is too short, or nothing came in the last week."""
    edges = histograms[-1].edges
    usable = [h for h in histograms if h.edges == edges]
    current = [h for h in usable if h.day > day - CURRENT_DAYS * DAY]
    reference = [h for h in usable if h.day <= day - CURRENT_DAYS * DAY][:REFERENCE_DAYS]
    if not current or len(reference) < LEAST_REFERENCE_DAYS:
        return None
    weeks = [_add(reference[i : i + 7]) for i in range(0, len(reference) - 6, 7)]
    now, then = _add(current), _add(reference)
    psi, usual = find_psi(then, now), find_usual_psi(weeks)
    return DriftDay(
        device_model_id=key.device_model_id,
        model=model,
        is_simulated=key.is_simulated,
        kind=key.kind,
        subject=key.subject,
        firmware=key.firmware,
        day=day,
        psi=psi,
        usual_psi=usual,
        devices=max(h.devices for h in current),
        n=sum(now),
        reference_n=sum(then),
        state=find_state(psi, usual).value,
    )


def _add(histograms: Sequence[Histogram]) -> list[int]:
    return [sum(counts) for counts in zip(*(h.counts for h in histograms), strict=True)]
