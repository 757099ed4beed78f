"""A small profile with every rule, its devices, and blocks for them."""

from collections.abc import Sequence

import numpy as np

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from domain.breach import BreachKind, Severity
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text
from store.blocks import BlockColumns

SECOND = 1_000_000
START = 1_772_409_600 * SECOND
NAME = Text(en="Motor current", zh="电机电流")
LEVEL, FLOW = 1, 2  # series ids of device 1; of device 2 they are 3 and 4


def _monitor(key: str, rule: MonitorRule, kind: BreachKind, *sensors: str, **fields: object) -> Monitor:
    return Monitor(key, rule, kind, Severity.MAJOR, "group", sensors, **fields)  # type: ignore[arg-type]


PROFILE = Profile(
    model="M-1",
    version=3,
    manufacturer="Test Works",
    name=NAME,
    udi_di="",
    safety_critical=False,
    sensors=(Sensor("level", NAME, "A", 1, -1e3, 1e3), Sensor("flow", NAME, "L/min", 2, -1e3, 1e3)),
    fault_groups=(FaultGroup("group", NAME, NAME, NAME, NAME),),
    monitors=(
        _monitor("high", MonitorRule.LIMIT, BreachKind.LIMIT, "level", raise_at=80.0, clear_at=70.0, critical_at=95.0),
        _monitor(
            "low", MonitorRule.LIMIT, BreachKind.LIMIT, "level", raise_at=10.0, clear_at=20.0, direction=Direction.LOW
        ),
        _monitor("stuck", MonitorRule.FLAT_LINE, BreachKind.LIMIT, "level", window_s=60.0),
        _monitor(
            "unusual",
            MonitorRule.ADAPTIVE,
            BreachKind.ANOMALY,
            "flow",
            raise_at=8.0,
            clear_at=4.0,
            direction=Direction.BOTH,
            n=2,
            m=3,
            warmup=40,
        ),
        _monitor("joint", MonitorRule.MULTIVARIATE, BreachKind.ANOMALY, "level", "flow", raise_at=3.0, warmup=60),
        _monitor("missing", MonitorRule.STALENESS, BreachKind.STALE, "flow", window_s=600.0),
        _monitor("gone", MonitorRule.OFFLINE, BreachKind.OFFLINE, duration_s=120.0),
        _monitor("code", MonitorRule.DEVICE_CODE, BreachKind.DEVICE_CODE, codes=("E1",), clear_duration_s=900.0),
    ),
)
DEVICES = (
    WatchedDevice(1, "SN-0001", "M-1", "1.0", {"level": LEVEL, "flow": FLOW}),
    WatchedDevice(2, "SN-0002", "M-1", "1.0", {"level": 3, "flow": 4}),
)


def make_scorer() -> ShardScorer:
    """A scorer that has seen nothing."""
    return ShardScorer(DEVICES, {"M-1": PROFILE})


def make_block(rows: Sequence[tuple[int, float, float]], flags: int = 0) -> BlockColumns:
    """(series id, seconds after START, value) as a block."""
    return BlockColumns(
        np.array([r[0] for r in rows], dtype=np.int32),
        np.array([START + round(r[1] * SECOND) for r in rows], dtype=np.int64),
        np.array([r[2] for r in rows], dtype=np.float64),
        np.full(len(rows), flags, dtype=np.int16),
    )


def make_history(seconds: int, seed: int = 1) -> list[tuple[int, float, float]]:
    """Both devices, both sensors, once a second."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(seconds):
        for series in (1, 2, 3, 4):
            centre = 50.0 if series % 2 else 5.0
            rows.append((series, float(k), centre + float(rng.normal(0, 0.5))))
    return rows
