"""Compares every firmware version that reached devices lately with the one before, and proposes a CAPA where it is
worse for certain: see docs/reference/firmware-regression.md.

Most rounds find no look due and cost one query. A look costs some seconds of the database at most, outside any
transaction; what it found is written in one short transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.firmware_release import Comparison, Judged, Measure, Release, Verdict, judge
from domain.profile import Profile, TicketPolicy
from service_link.batch_plan import MACHINE
from service_link.cohort_statistics import adjust_false_discovery
from service_link.release_comparison import MIN_DEVICES, MIN_HOURS, Side, compare_release
from service_link.release_statistics import FIRST_LOOK_HOURS, find_next_look_hours, find_valid_p
from store.capa_proposals import CapaProposal, open_or_join_capa
from store.cohorts import NEVER_SYSTEMIC, load_lately_closed_capa
from store.pool import Connection
from store.profiles import load_profiles
from store.release_records import (
    ReleaseState,
    load_judged,
    load_proposed,
    load_release_states,
    record_judged,
    record_proposed,
    record_release_states,
)
from store.releases import (
    FirstBreaches,
    SignalChange,
    Update,
    Windows,
    load_controls,
    load_first_breaches,
    load_orders_after,
    load_signal_changes,
    load_updates,
)
from store.rollups import load_rollup_state

HOUR = timedelta(hours=1)
LATELY = timedelta(days=30)
BEFORE = timedelta(days=14)  # what a device did before, at most
MIN_BEFORE_H = 24.0  # and at least: every hour of the day
SETTLING = HOUR  # a device that restarts and is set up again says nothing of its levels
AFTER = timedelta(days=7)  # what a device does after, at most
MOST_DEVICES = 200  # of a release, and as many controls
DEVICES_AT_ONCE = 50


def watch_releases(conn: Connection, now: datetime, keep_on: Callable[[], bool] = lambda: True) -> list[str]:
    """The codes of the CAPAs that were proposed. Ends between two short steps once `keep_on` says no."""
    releases = load_updates(conn, now - LATELY, now, before_h=MIN_BEFORE_H, most=MOST_DEVICES)
    if not releases:
        return []
    hours_to = load_rollup_state(conn).hours_to
    known = load_release_states(conn, now - LATELY)
    states = {
        release: _find_state(release, updates, known.get(release), hours_to, now)
        for release, updates in releases.items()
    }
    with conn.transaction():
        record_release_states(conn, states.values())
    proposed: list[str] = []
    profiles: Mapping[str, Profile] | None = None
    for release, state in states.items():
        if state.devices < MIN_DEVICES or state.device_hours < state.next_look_hours or not keep_on():
            continue
        profiles = profiles if profiles is not None else load_profiles(conn)
        lines = _compare(conn, profiles[release.model], releases[release], hours_to, keep_on)
        if lines is not None:
            proposed += _record_look(conn, state, lines, releases[release], profiles[release.model].tickets, now)
    return proposed


def find_windows(update: Update, hours_to: datetime) -> Windows:
    """What is compared of an updated device: whole hours on the version before, and on the new one once it settled."""
    before_to = _floor(update.at)
    before_from = before_to - BEFORE
    if update.previous_at is not None:
        before_from = max(before_from, _floor(update.previous_at) + HOUR)
    after_from = before_to + HOUR + SETTLING
    after_to = min(after_from + AFTER, hours_to)
    if update.next_at is not None:
        after_to = min(after_to, _floor(update.next_at))
    return Windows(update.device_id, update.at, before_from, before_to, after_from, after_to)


def _floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _find_hours(window: Windows) -> float:
    hours = (window.after_to - window.after_from) / HOUR
    return hours if hours >= MIN_HOURS else 0.0


def _find_state(
    release: Release, updates: Sequence[Update], known: ReleaseState | None, hours_to: datetime, now: datetime
) -> ReleaseState:
    windows = [find_windows(update, hours_to) for update in updates]
    return ReleaseState(
        device_model_id=release.device_model_id,
        model=release.model,
        version=release.version,
        is_simulated=release.is_simulated,
        first_update_at=updates[0].at,
        devices=sum(_find_hours(window) > 0.0 for window in windows),
        controls=0 if known is None else known.controls,
        customers=len({u.customer_id for u in updates if u.customer_id is not None}),
        device_hours=sum(_find_hours(window) for window in windows),
        looks=0 if known is None else known.looks,
        next_look_hours=FIRST_LOOK_HOURS if known is None else known.next_look_hours,
        looked_at=None if known is None else known.looked_at,
        watched_at=now,
    )


def _compare(
    conn: Connection,
    profile: Profile,
    updates: Sequence[Update],
    hours_to: datetime,
    keep_on: Callable[[], bool],
) -> list[Comparison] | None:
    """The lines of the release now; None: the program ends."""
    windows = [w for w in (find_windows(update, hours_to) for update in updates) if _find_hours(w) > 0.0]
    release = Release(updates[0].device_model_id, updates[0].model, updates[0].version, updates[0].is_simulated)
    controls = load_controls(conn, release, updates[0].at - BEFORE, most=MOST_DEVICES)
    # Each control is looked at in the windows of one updated device, so that both see the same days.
    control_windows = [
        replace(windows[place % len(windows)], device_id=device_id) for place, device_id in enumerate(controls)
    ]
    sides = []
    for wanted in (windows, control_windows):
        signals: list[SignalChange] = []
        breaches: list[FirstBreaches] = []
        for first in range(0, len(wanted), DEVICES_AT_ONCE):
            if not keep_on():
                return None
            part = wanted[first : first + DEVICES_AT_ONCE]
            signals += load_signal_changes(conn, part)
            breaches += load_first_breaches(conn, part)
        sides.append(Side(wanted, signals, breaches))
    return compare_release(profile, *sides)


def _record_look(
    conn: Connection,
    state: ReleaseState,
    lines: Sequence[Comparison],
    updates: Sequence[Update],
    policy: TicketPolicy,
    now: datetime,
) -> list[str]:
    """Judges the lines together with what stands of all other releases, writes them and proposes."""
    look = state.looks + 1
    with conn.transaction():
        judged = load_judged(conn, since=now - LATELY)
        before = {(j.line.measure, j.line.subject): j.p_valid for j in judged.pop(state.release, [])}
        valid = [find_valid_p(line.p, before.get((line.measure, line.subject), 1.0)) for line in lines]
        others = [j.p_valid for of_release in judged.values() for j in of_release]
        found: list[Judged] = []
        for line, p_valid, q in zip(lines, valid, adjust_false_discovery([*valid, *others]), strict=False):
            assert q is not None
            found.append(Judged(line, p_valid, q, judge(line, q, policy.capa_p_value), look, now))
        controls = max((line.controls for line in lines), default=0)
        record_release_states(
            conn,
            [
                replace(
                    state,
                    controls=controls,
                    looks=look,
                    looked_at=now,
                    next_look_hours=find_next_look_hours(state.device_hours),
                )
            ],
        )
        record_judged(conn, state.release, found)
        return _propose(conn, replace(state, controls=controls, looks=look), found, updates, policy, now)


def _propose(
    conn: Connection,
    state: ReleaseState,
    judged: Sequence[Judged],
    updates: Sequence[Update],
    policy: TicketPolicy,
    now: datetime,
) -> list[str]:
    """A CAPA per fault group that is worse, once; a live one of the scope gets the figures instead."""
    worse: dict[str, list[Judged]] = {}
    for j in judged:
        group = j.line.fault_group
        if j.verdict is Verdict.WORSE and group is not None and group not in NEVER_SYSTEMIC:
            worse.setdefault(group, []).append(j)
    if not worse or state.customers < policy.capa_customers:
        return []
    done = load_proposed(conn, state.release)
    proposed = []
    for group, lines in sorted(worse.items()):
        if group in done:
            continue
        scope = CapaScope(state.device_model_id, ScopeKind.FIRMWARE, state.version, group)
        rate = next(j for j in judged if j.line.measure is Measure.RATE and j.line.subject == group)
        regions = {u.region for u in updates}
        proposal = CapaProposal(
            scope=scope,
            trigger=CapaTrigger.FIRMWARE_REGRESSION,
            statistics=describe_regression(state, lines, rate, updates),
            work_order_ids=load_orders_after(conn, updates, group),
            is_simulated=state.is_simulated,
            region=regions.pop() if len(regions) == 1 else "",
            ineffective_of=load_lately_closed_capa(conn, scope, now - timedelta(days=policy.capa_ineffective_days)),
        )
        code, is_new = open_or_join_capa(conn, MACHINE, proposal, now)
        record_proposed(conn, state.release, group, code, now)
        proposed += [code] if is_new else []
    return proposed


def describe_regression(
    state: ReleaseState, worse: Sequence[Judged], rate: Judged, updates: Sequence[Update]
) -> dict[str, object]:
    """The statistics that are stored with the CAPA and shown; see docs/reference/firmware-regression.md."""
    line, best = rate.line, min(worse, key=lambda j: (j.q, j.line.subject))
    has_rate = line.effect is not None
    return {
        "devices": state.devices,
        "customers": state.customers,
        "device_days": round(state.device_hours / 24.0, 1),
        "rate": _round(line.after),
        "baseline_rate": _round(line.before) if has_rate else None,
        "ratio": _round(line.effect),
        "interval": [_round(line.low), _round(line.high)] if has_rate else None,
        "p": best.p_valid,
        "q": best.q,
        "regression": {
            "version": state.version,
            "previous": sorted({u.previous for u in updates}),
            "first_update_at": state.first_update_at,
            "devices": state.devices,
            "controls": state.controls,
            "device_hours": round(state.device_hours, 1),
            "look": best.look,
            "lines": [
                {
                    "measure": j.line.measure,
                    "subject": j.line.subject,
                    "unit": j.line.unit,
                    "before": _round(j.line.before),
                    "after": _round(j.line.after),
                    "effect": _round(j.line.effect),
                    "low": _round(j.line.low),
                    "high": _round(j.line.high),
                    "share": _round(j.line.share),
                    "monitor": j.line.monitor,
                    "devices": j.line.devices,
                    "controls": j.line.controls,
                    "p": j.p_valid,
                    "q": j.q,
                }
                for j in sorted(worse, key=lambda j: (j.q, j.line.subject))
            ],
        },
    }


def _round(value: float | None) -> float | None:
    """Four significant digits are more than anybody reads."""
    return None if value is None else float(f"{value:.4g}")
