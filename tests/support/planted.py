"""Numbered readings of a small fleet with limit and flow faults planted at known instants, the same for every run.

What has to come of them is computed here from the rules of `domain.profile.Monitor`, not with the code under test.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.support.fleet import (
    FLOW_WARMUP,
    LEVEL_CLEAR_AT,
    LEVEL_CLEAR_S,
    LEVEL_CRITICAL_AT,
    LEVEL_N,
    LEVEL_RAISE_AT,
)
from tests.support.pipeline import make_reading, telemetry_topic

SENSORS = 3
STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LimitEpisode:
    """One breach of the limit monitor that must be found, and nothing else about it is left open."""

    serial: str
    first_seen: datetime
    raised_at: datetime
    cleared_at: datetime
    peak: float
    severity: str


@dataclass(frozen=True, slots=True)
class Planted:
    """The messages in order of publication, and what must come of them."""

    messages: list[tuple[str, bytes]]
    episodes: list[LimitEpisode]
    flow_faults: list[str]  # serials whose flow shifts for good
    readings: dict[str, list[tuple[datetime, float]]]  # per serial: instant and number


def plant(serials: Sequence[str], start: datetime, *, steps: int, seed: int) -> Planted:
    """One message a device and step with a level, a flow and a number, in event time from `start` on, 1 s apart.

    Every fifth device breaks the level's limit once or twice; every fifth goes beyond it too briefly for N of M (that
    must stay without consequence); every tenth has a flow that shifts by twenty times its noise.
    """
    chance = random.Random(seed)
    levels = {serial: [50.0 + chance.gauss(0, 1) for _ in range(steps)] for serial in serials}
    flows = {serial: [200.0 + chance.gauss(0, 1) for _ in range(steps)] for serial in serials}
    episodes: list[LimitEpisode] = []
    flow_faults: list[str] = []
    for i, serial in enumerate(serials):
        if i % 5 == 0:
            first = chance.randrange(20, steps // 3)
            begins = [first, first + steps // 3] if i % 2 == 0 else [first]
            for begin in begins:
                episodes.append(_plant_episode(serial, levels[serial], begin, start, chance))
        elif i % 5 == 1:
            begin = chance.randrange(20, steps - 20)
            for k in range(begin, begin + LEVEL_N - 1):
                levels[serial][k] = LEVEL_RAISE_AT + 10
        elif i % 10 == 2:
            begin = chance.randrange(FLOW_WARMUP * 2, steps - 30)
            flows[serial][begin:] = [value + 20.0 for value in flows[serial][begin:]]
            flow_faults.append(serial)
    messages = [
        (
            telemetry_topic(serial),
            make_reading(
                start + STEP * k,
                {"level": round(levels[serial][k], 3), "flow": round(flows[serial][k], 3), "number": float(k)},
            ),
        )
        for k in range(steps)
        for serial in serials
    ]
    readings = {serial: [(start + STEP * k, float(k)) for k in range(steps)] for serial in serials}
    return Planted(messages, episodes, flow_faults, readings)


def _plant_episode(
    serial: str, levels: list[float], begin: int, start: datetime, chance: random.Random
) -> LimitEpisode:
    length = chance.randrange(8, 25)
    top = LEVEL_CRITICAL_AT + 3 if chance.random() < 0.5 else LEVEL_CRITICAL_AT - 5
    for k in range(begin, begin + length):
        levels[k] = round(top - chance.random(), 3)
    # Between the two limits: neither a new breach nor a clearing.
    levels[begin + length] = (LEVEL_RAISE_AT + LEVEL_CLEAR_AT) / 2
    return LimitEpisode(
        serial=serial,
        first_seen=start + STEP * begin,
        raised_at=start + STEP * (begin + LEVEL_N - 1),
        cleared_at=start + STEP * (begin + length + 1) + timedelta(seconds=LEVEL_CLEAR_S),
        peak=max(levels[begin : begin + length]),
        severity="CRITICAL" if top > LEVEL_CRITICAL_AT else "MAJOR",
    )
