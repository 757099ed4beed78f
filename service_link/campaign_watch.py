"""When a campaign stops by itself, and what an action has brought: both from the breaches of its devices."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from domain.audit import Actor
from domain.audit_field_action import effectiveness_computed
from domain.counting import say_count
from domain.exposure import say_device_days
from domain.field_action import FieldAction, FieldActionKind, FieldActionState
from domain.field_action_halt import MIN_DEVICES, HaltReason, find_spent_p, is_to_halt
from domain.firmware import MAIN
from domain.firmware_release import Judged, Verdict
from service_link.campaign_looks import (
    Counts,
    count_first_breaches,
    describe_look,
    find_change,
    find_control_windows,
    find_device_hours,
    find_windows,
    look_at,
)
from service_link.release_statistics import FIRST_LOOK_HOURS, find_next_look_hours
from store.audit import record_audit
from store.cohorts import NEVER_SYSTEMIC
from store.field_action_campaigns import Upgraded, load_remediated, load_upgraded, load_waiting
from store.field_action_halts import record_halt
from store.field_action_progress import load_progress
from store.field_actions import load_field_action, lock_field_action, update_field_action
from store.pool import Connection
from store.release_records import load_judged
from store.releases import FirstBreaches, Windows, load_first_breaches

log = logging.getLogger("forewarn.service_link")
SPAN = timedelta(days=14)  # what is compared of a device: so much before, and as much after
LONG_SPAN = timedelta(days=90)  # and for the effectiveness of an action
MOST_DEVICES = 500  # of a campaign, and as many that wait
DEVICES_AT_ONCE = 50
FIGURES_EVERY = timedelta(days=1)


def watch_action(conn: Connection, actor: Actor, code: str, now: datetime) -> None:
    """Halts the campaign where it must, or brings the figures of its effectiveness up to now."""
    action = load_field_action(conn, code)
    if action is None:
        return
    if action.state is FieldActionState.EFFECTIVENESS:
        _compute_effectiveness(conn, actor, action, now)
    elif (
        action.kind is FieldActionKind.FIRMWARE and action.state is FieldActionState.EXECUTING and not action.is_halted
    ):
        _halt_for_release(conn, actor, action, now)
        _look_at_campaign(conn, actor, code, now)


def _halt_for_release(conn: Connection, actor: Actor, action: FieldAction, now: datetime) -> None:
    """The comparison of the release, over all devices and every signal, counts for each campaign of it."""
    if action.component != MAIN:
        return
    judged = load_judged(conn, model=action.model, version=action.firmware_version or "")
    worse = [
        j
        for release, lines in judged.items()
        if release.is_simulated == action.is_simulated
        for j in lines
        if j.verdict is Verdict.WORSE and find_finding(j) not in action.accepted_findings
    ]
    if not worse:
        return
    findings = sorted(find_finding(j) for j in worse)
    statistics = {
        "findings": findings,
        "lines": [
            {
                "measure": j.line.measure,
                "subject": j.line.subject,
                "before": j.line.before,
                "after": j.line.after,
                "effect": j.line.effect,
                "p": j.p_valid,
                "q": j.q,
                "devices": j.line.devices,
            }
            for j in worse
        ],
    }
    detail = f"worse on {action.firmware_version} for certain: {', '.join(findings)}"
    _halt(conn, actor, action.code, HaltReason.RELEASE_REGRESSION, detail, statistics, now)


def find_finding(judged: Judged) -> str:
    """How a finding of the release comparison is called, e.g. `rate:motor_wear`."""
    return f"{judged.line.measure}:{judged.line.subject}"


def _look_at_campaign(conn: Connection, actor: Actor, code: str, now: datetime) -> None:
    """Takes the look that is due by the hours of upgraded devices, and halts where their breach rate rose."""
    action = load_field_action(conn, code)
    if action is None or action.is_halted or action.watched_from is None:
        return
    upgraded = load_upgraded(conn, action, action.watched_from, limit=MOST_DEVICES)
    windows = find_windows(upgraded, SPAN, now)
    hours = find_device_hours(windows)
    if len(windows) < MIN_DEVICES or hours < (action.next_look_hours or FIRST_LOOK_HOURS):
        return
    waiting = load_waiting(conn, action, action.watched_from - SPAN, limit=MOST_DEVICES)
    others = find_control_windows(windows, waiting)
    own = _count(conn, windows)
    look = look_at(action.looks + 1, len(windows), own, len(others), _count(conn, others) if others else None)
    p_valid = find_spent_p(look.p, look.look)
    log.info("look %d at %s: %d devices, p %.3g", look.look, code, look.devices, p_valid)
    if is_to_halt(look, action.halt_p):
        before, after = own.events_before, own.events_after
        detail = (
            f"{after} of {say_count(look.devices, 'upgraded device')} breached in "
            f"{say_count(say_device_days(look.days_after), 'device-day')}, "
            f"{before} in {say_device_days(look.days_before)} before"
        )
        if not _halt(conn, actor, code, HaltReason.BREACH_RATE, detail, dict(describe_look(look, p_valid)), now):
            return  # somebody else halted it meanwhile: the look is taken again when it goes on
    _record_look(conn, action, find_next_look_hours(hours))


def _halt(
    conn: Connection,
    actor: Actor,
    code: str,
    reason: HaltReason,
    detail: str,
    statistics: dict[str, object],
    now: datetime,
) -> bool:
    with conn.transaction():
        action = lock_field_action(conn, code)
        is_running = action.state is FieldActionState.EXECUTING and not action.is_halted
        if is_running:
            record_halt(conn, actor, action, reason, detail, statistics, now=now)
            log.warning("%s is halted: %s", code, detail)
    return is_running


def _record_look(conn: Connection, seen: FieldAction, next_look_hours: float) -> None:
    """Counts the look, unless the watch began anew meanwhile."""
    with conn.transaction():
        action = lock_field_action(conn, seen.code)
        if action.watched_from == seen.watched_from and action.looks == seen.looks:
            update_field_action(conn, replace(action, looks=seen.looks + 1, next_look_hours=next_look_hours))


def _count(conn: Connection, windows: list[Windows]) -> Counts:
    breaches: list[FirstBreaches] = []
    for first in range(0, len(windows), DEVICES_AT_ONCE):
        breaches += load_first_breaches(conn, windows[first : first + DEVICES_AT_ONCE])
    return count_first_breaches(windows, breaches, NEVER_SYSTEMIC)


def _compute_effectiveness(conn: Connection, actor: Actor, seen: FieldAction, now: datetime) -> None:
    computed_at = (seen.effectiveness or {}).get("computed_at")
    if computed_at is not None and now - datetime.fromisoformat(computed_at) < FIGURES_EVERY:
        return
    figures = find_effectiveness(conn, seen, now)
    with conn.transaction():
        action = lock_field_action(conn, seen.code)
        if action.state is not FieldActionState.EFFECTIVENESS:
            return
        update_field_action(conn, replace(action, effectiveness=figures, updated_at=now))
        record_audit(conn, actor, effectiveness_computed(action.code, figures))


def find_effectiveness(conn: Connection, action: FieldAction, now: datetime) -> dict[str, object]:
    """The share of devices in every end, and how often those that were done breached before and after."""
    (total,) = load_progress(conn, action.id, "all")
    done: list[Upgraded] = load_remediated(conn, action, limit=MOST_DEVICES)
    windows = find_windows(done, LONG_SPAN, now)
    counts = _count(conn, windows)
    change = find_change(counts)
    count = max(total.devices, 1)
    return {
        "computed_at": now.isoformat(),
        "devices": total.devices,
        "remediated": total.remediated + total.verified,
        "verified": total.verified,
        "unreachable": total.unreachable,
        "scrapped": total.scrapped,
        "remediated_share": round((total.remediated + total.verified) / count, 4),
        "verified_share": round(total.verified / count, 4),
        "unreachable_share": round(total.unreachable / count, 4),
        "compared_devices": len(windows),
        "breaches_before": counts.events_before,
        "device_days_before": round(counts.days_before, 1),
        "breaches_after": counts.events_after,
        "device_days_after": round(counts.days_after, 1),
        "ratio": None if change is None or change.ratio is None else round(change.ratio, 4),
        "interval": None if change is None else [change.low, change.high],
        "p": None if change is None else change.p,
    }
