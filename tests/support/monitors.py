"""Monitors about which something is known: outcomes, drift, a proposed threshold with its backtest, one asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sin
from typing import Any

from domain.audit import Actor
from domain.monitor_quality import Threshold
from domain.profile import Monitor, Profile
from store.drift import DriftDay, record_drift
from store.model_jobs import MODEL_JOBS, open_job
from store.monitor_quality import MonitorQuality, record_quality
from store.pool import Connection
from store.threshold_proposals import propose_threshold, record_backtest

MACHINE = Actor("service_link", "", "")
DAYS = 40


def find_watched(profile: Profile) -> Monitor:
    """The first monitor that has a threshold on readings."""
    return next(m for m in profile.monitors if m.raise_at is not None and m.sensors)


def find_comparison(orders: Sequence[str], serials: Sequence[str], now: datetime) -> dict[str, Any]:
    """What a backtest answers, after docs/reference/models.md; the first order would be lost, the second gained."""

    def side(tickets: int, false_alarms: int) -> dict[str, Any]:
        outcomes = {"CONFIRMED": tickets - false_alarms - 2, "FALSE_ALARM": false_alarms, "NO_ORDER": 2}
        return {
            "breaches": 3 * tickets,
            "tickets": tickets,
            "reopened": 1,
            "per_1000_device_days": tickets / 10.8,
            "by_priority": {"P2": tickets},
            "by_outcome": outcomes,
            "by_monitor": {},
            "lead_time_h": {"orders": 4, "median": 6.25, "low": 1.0, "high": 30.0},
            "unscored": {},
        }

    def listed(codes: Sequence[str], outcome: str) -> dict[str, Any]:
        lines = [
            {
                "code": code,
                "serial": serials[0],
                "fault_group": "motor",
                "outcome": outcome,
                "created_at": (now - timedelta(days=20)).isoformat(),
            }
            for code in codes
        ]
        return {"orders": len(lines), "by_outcome": {outcome: len(lines)} if lines else {}, "listed": lines}

    return {
        "format": 1,
        "since": (now - timedelta(days=91)).isoformat(),
        "counted_from": (now - timedelta(days=90)).isoformat(),
        "until": now.isoformat(),
        "level": "minute",
        "devices": 120,
        "device_days": 10_800,
        "left_out": [{"monitor": "device_alarm", "reason": "its readings are too far apart"}],
        "approximate": [],
        "changed": [],
        "uncovered": [],
        "assumptions": ["Nobody shelves; no device is under maintenance; gateways and storms gather no devices."],
        "now": side(24, 12),
        "proposed": side(13, 2),
        "lost": listed(orders[:1], "FALSE_ALARM"),
        "gained": listed(orders[1:2], "CONFIRMED"),
        "top_devices": [
            {"serial": serials[0], "now": 9, "proposed": 3},
            {"serial": serials[1], "now": 4, "proposed": 4},
        ],
    }


def make_monitors(
    conn: Connection, profile: Profile, model_id: int, orders: Sequence[str], serials: Sequence[str], now: datetime
) -> str:
    """The code of the backtested proposal for `find_watched(profile)`."""
    watched = find_watched(profile)
    assert watched.raise_at is not None
    rows = [
        MonitorQuality(
            device_model_id=model_id,
            model=profile.model,
            is_simulated=False,
            rule=monitor.rule.value,
            monitor=monitor.key,
            profile_version=profile.version,
            confirmed=6 if monitor is watched else 0,
            sensor_fault=0,
            no_fault_found=2 if monitor is watched else 0,
            false_alarm=10 if monitor is watched else 0,
            precision_mean=0.342 if monitor is watched else 0.5,
            precision_low=0.153 if monitor is watched else 0.0,
            precision_high=0.563 if monitor is watched else 1.0,
            tickets=14 if monitor is watched else 0,
            device_days=3_600.0,
            allowed_rate=1.52 if monitor is watched else 2.0,
            is_over_budget=monitor is watched,
            judged_at=now,
            lead_failures=4 if monitor is watched else 0,
            lead_median_h=51.5 if monitor is watched else None,
        )
        for monitor in profile.monitors
    ]
    record_quality(conn, rows, now)
    drift = []
    for back in range(DAYS):
        index = 0.31 - 0.007 * back + 0.02 * sin(back)
        state = "DRIFT" if index >= 0.25 else "WATCH" if index >= 0.1 else "STABLE"
        day = (now - timedelta(days=back)).date()
        for kind, subject, firmware in (
            ("score", watched.key, ""),
            ("input", watched.sensors[0], ""),
            ("input", watched.sensors[0], "2.0"),
        ):
            drift.append(
                DriftDay(
                    model_id, profile.model, False, kind, subject, firmware, day, max(index, 0.004), 0.02, 118, 19_800,
                    79_000, state,
                )
            )  # fmt: skip
    record_drift(conn, drift, now)
    step = 0.2 * abs(watched.raise_at)
    clear_at = watched.raise_at if watched.clear_at is None else watched.clear_at
    found = Threshold(watched.raise_at + step, clear_at + step, 12, 6, 10, (1.0,), (2.0,))
    basis = {
        "is_simulated": False,
        "in_vain": 12,
        "confirmed": 6,
        "removed": 10,
        "precision": [0.342, 0.153, 0.563],
        "expected_precision": [0.722, 0.415, 0.934],
        "vain_peaks": [watched.raise_at + 0.05 * step, watched.raise_at + 0.6 * step],
        "confirmed_peaks": [watched.raise_at + 2 * step],
    }
    code = propose_threshold(conn, MACHINE, profile, watched, found, basis, now)
    assert code is not None
    comparison = find_comparison(orders, serials, now)
    assert record_backtest(conn, MACHINE, code, comparison, now)
    asked = {
        "model": profile.model,
        "monitor": watched.key,
        "changes": {"raise_at": watched.raise_at + 2 * step},
        "since": None,
    }
    job = open_job(conn, "backtest", asked, "eva")
    conn.execute("UPDATE model_job SET state = 'RUNNING', started_at = requested_at WHERE id = %s", (job,))
    MODEL_JOBS.finish(conn, job, result=comparison)
    return code
