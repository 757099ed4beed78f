"""What the outcomes of closed orders say of each monitor, again and again; and thresholds that they suggest."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from domain.exact_chances import find_beta_quantile
from domain.monitor_quality import (
    SIGNED_RULES,
    Budget,
    Outcomes,
    Precision,
    Threshold,
    find_allowed_rate,
    find_middle,
    find_threshold,
    move_threshold,
)
from domain.profile import Direction, Monitor, Profile
from domain.profile_checks import find_monitor_problems
from domain.profile_json import profile_to_json
from domain.work_order import Outcome
from service_link.batch_plan import MACHINE
from store.monitor_lead_times import MonitorLeadTime, count_lead_times
from store.monitor_quality import (
    ClosedEpisode,
    MonitorQuality,
    count_device_days,
    count_tickets,
    load_closed_episodes,
    record_quality,
)
from store.pool import Connection
from store.profiles import load_profile_versions
from store.threshold_proposals import (
    ask_again_for_backtests,
    ask_for_backtest,
    attach_backtests,
    propose_threshold,
)

REMEMBERED = timedelta(days=365)  # outcomes older than this are of another time
BUDGET_WINDOW = timedelta(days=30)
PRIOR = 0.5  # Jeffreys, of both outcomes
TAIL = 0.025
BACKTESTED = timedelta(days=90)
SETTLING = timedelta(days=1)  # of the backtest: detectors start from nothing
ASKED_AGAIN = timedelta(days=1)  # where a backtest failed or did not judge the monitor
MOST_PEAKS = 50  # that a proposal shows of either side


def watch_monitors(conn: Connection, now: datetime) -> list[str]:
    """Writes precision and budget of every monitor, and the codes of the thresholds that were proposed."""
    versions = load_profile_versions(conn)
    episodes: dict[tuple[int, bool], list[ClosedEpisode]] = defaultdict(list)
    for episode in load_closed_episodes(conn, now - REMEMBERED):
        episodes[episode.device_model_id, episode.is_simulated].append(episode)
    tickets = count_tickets(conn, now - BUDGET_WINDOW)
    days = count_device_days(conn, now - BUDGET_WINDOW, now)
    leads = {(lead.model, lead.is_simulated, lead.monitor): lead for lead in count_lead_times(conn, now - REMEMBERED)}
    rows: list[MonitorQuality] = []
    proposed: list[tuple[Profile, Monitor, Threshold, dict[str, object]]] = []
    for model_id, of_model in versions.items():
        for is_simulated in (False, True):
            key = (model_id, is_simulated)
            if key in days or key in episodes:
                quality, found = _judge(key, of_model, episodes.get(key, ()), tickets, days.get(key, 0.0), now)
                rows += quality
                # What simulated devices found moves no threshold that real ones are judged by.
                proposed += [] if is_simulated and (model_id, False) in days else found
    with conn.transaction():
        record_quality(conn, [_add_lead(row, leads) for row in rows], now)
    with conn.transaction():
        attach_backtests(conn, MACHINE, now)
        ask_again_for_backtests(conn, MACHINE.name, now - ASKED_AGAIN, now)
    codes: list[str] = []
    for profile, monitor, threshold, basis in proposed:
        # Each in a transaction of its own: who holds the head of the audit must not wait for a row of somebody who
        # waits for that head.
        with conn.transaction():
            code = propose_threshold(conn, MACHINE, profile, monitor, threshold, basis, now)
            if code is not None:
                ask_for_backtest(conn, code, make_backtest_request(profile, monitor, threshold, now), MACHINE.name, now)
                codes.append(code)
    return codes


def _add_lead(row: MonitorQuality, leads: Mapping[tuple[str, bool, str], MonitorLeadTime]) -> MonitorQuality:
    lead = leads.get((row.model, row.is_simulated, row.monitor))
    return row if lead is None else replace(row, lead_failures=lead.failures, lead_median_h=lead.median_h)


def make_backtest_request(profile: Profile, monitor: Monitor, found: Threshold, now: datetime) -> dict[str, object]:
    """What the worker of model jobs evaluates beside the current profile, over the last three months."""
    return {
        "model": profile.model,
        "firmware": "",
        "since": (now - BACKTESTED).isoformat(),
        "until": None,
        "level": None,
        "settle_s": SETTLING.total_seconds(),
        "proposed_profile": profile_to_json(move_threshold(profile, monitor.key, found.raise_at, found.clear_at)),
        "proposed_model_id": None,
    }


def find_precision(outcomes: Outcomes) -> Precision:
    """The Beta posterior of the share of useful orders. Source: Brown, Cai and DasGupta 2001 (Jeffreys interval)."""
    a, b = outcomes.useful + PRIOR, outcomes.in_vain + PRIOR
    return Precision(a / (a + b), find_beta_quantile(a, b, TAIL), find_beta_quantile(a, b, 1.0 - TAIL))


def count_outcomes(episodes: Iterable[ClosedEpisode]) -> Outcomes:
    """One for each order."""
    found = Outcomes()
    for outcome in {e.work_order_id: e.outcome for e in episodes}.values():
        found += Outcomes(
            confirmed=outcome == Outcome.CONFIRMED,
            sensor_fault=outcome == Outcome.SENSOR_FAULT,
            no_fault_found=outcome == Outcome.NO_FAULT_FOUND,
            false_alarm=outcome == Outcome.FALSE_ALARM,
        )
    return found


def _judge(
    key: tuple[int, bool],
    versions: Sequence[Profile],
    episodes: Iterable[ClosedEpisode],
    tickets: Mapping[tuple[int, bool, str], int],
    device_days: float,
    now: datetime,
) -> tuple[list[MonitorQuality], list[tuple[Profile, Monitor, Threshold, dict[str, object]]]]:
    """The rows of one device model; its current profile is the last of `versions`."""
    profile = versions[-1]
    of_monitor: dict[str, list[ClosedEpisode]] = defaultdict(list)
    # An outcome speaks of the monitor as it was: of the current one only where nothing about it has changed.
    same = {(v.version, m.key) for v in versions for m in v.monitors if m == profile.find_monitor(m.key)}
    for episode in episodes:
        if (episode.profile_version, episode.monitor) in same:
            of_monitor[episode.monitor].append(episode)
    rows, proposed = [], []
    of_rule: dict[str, list[Monitor]] = defaultdict(list)
    for monitor in profile.monitors:
        of_rule[monitor.rule].append(monitor)
    for rule, monitors in of_rule.items():
        groups = [(m.key, [m]) for m in monitors] + [("", monitors)]
        for name, members in groups:
            own = [e for m in members for e in of_monitor.get(m.key, ())]
            outcomes = count_outcomes(own)
            precision = find_precision(outcomes)
            opened = sum(tickets.get((*key, m.key), 0) for m in members)
            vain = profile.tickets.vain_per_1000_days * len(members)
            budget = Budget(opened, device_days, find_allowed_rate(vain, precision.mean))
            rows.append(
                MonitorQuality(
                    device_model_id=key[0],
                    model=profile.model,
                    is_simulated=key[1],
                    rule=rule,
                    monitor=name,
                    profile_version=profile.version,
                    **asdict(outcomes),
                    precision_mean=precision.mean,
                    precision_low=precision.low,
                    precision_high=precision.high,
                    tickets=opened,
                    device_days=device_days,
                    allowed_rate=budget.allowed_rate,
                    is_over_budget=budget.is_over,
                    judged_at=now,
                )
            )
            if name:
                found = _find_proposal(profile, members[0], own, outcomes, precision, is_simulated=key[1])
                proposed += [] if found is None else [(profile, members[0], *found)]
    return rows, proposed


def _find_proposal(
    profile: Profile,
    monitor: Monitor,
    episodes: Sequence[ClosedEpisode],
    outcomes: Outcomes,
    precision: Precision,
    *,
    is_simulated: bool,
) -> tuple[Threshold, dict[str, object]] | None:
    is_low = monitor.rule in SIGNED_RULES and monitor.direction is Direction.LOW
    peaks: dict[bool, list[float]] = {True: [], False: []}
    for episode in episodes:
        useful = episode.outcome in (Outcome.CONFIRMED, Outcome.SENSOR_FAULT)
        peaks[useful].append(episode.smallest if is_low else episode.largest)
    found = find_threshold(monitor, peaks[False], peaks[True], least_in_vain=profile.tickets.false_alarms_flag_monitor)
    if found is None:
        return None
    moved = replace(monitor, raise_at=found.raise_at, clear_at=found.clear_at)
    # Beyond what the sensor can read, for example: that would switch the monitor off under another name.
    if any(find_monitor_problems(moved, {s.key: s for s in profile.sensors})):
        return None
    expected = find_precision(Outcomes(confirmed=outcomes.useful, false_alarm=outcomes.in_vain - found.removed))
    basis: dict[str, object] = {
        "is_simulated": is_simulated,
        "in_vain": found.in_vain,
        "confirmed": found.confirmed,
        "removed": found.removed,
        "precision": [round(value, 4) for value in (precision.mean, precision.low, precision.high)],
        "expected_precision": [round(value, 4) for value in (expected.mean, expected.low, expected.high)],
        "vain_median": find_middle(found.vain_peaks),
        "confirmed_median": find_middle(found.confirmed_peaks),
        "vain_peaks": sorted(found.vain_peaks)[-MOST_PEAKS:],
        "confirmed_peaks": sorted(found.confirmed_peaks)[:MOST_PEAKS],
    }
    return found, basis
