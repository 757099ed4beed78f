"""A process killed at any point leaves the breaches that one leaves which never was: check-point, replay, go on."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.bank import WatchedDevice
from anomaly.presence import OpenBreach
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind
from domain.clock import to_micros
from domain.profile import Direction, Monitor, MonitorRule
from domain.report import EventReport, FirmwareReport, FirmwareState, Report, WorkReport
from tests.unit.anomaly.fleet_of_one import DEVICES, PROFILE, SECOND, START, make_block

SECONDS = 380


def _minor(key: str, rule: MonitorRule, kind: BreachKind, sensor: str, **fields: object) -> Monitor:
    return Monitor(key, rule, kind, Severity.MINOR, "group", (sensor,), **fields)  # type: ignore[arg-type]


STEP = _minor(
    "level_jump",
    MonitorRule.RATE_OF_CHANGE,
    BreachKind.LIMIT,
    "level",
    direction=Direction.BOTH,
    raise_at=20.0,
    clear_at=10.0,
)
FORECAST = _minor(
    "level_forecast",
    MonitorRule.FORECAST,
    BreachKind.FORECAST,
    "level",
    raise_at=80.0,
    clear_at=70.0,
    window_s=96.0,
    lead_time_s=60.0,
)
NOVELTY = _minor(
    "flow_novel", MonitorRule.NOVELTY, BreachKind.ANOMALY, "flow", raise_at=3.5, clear_at=2.0, n=2, m=3, warmup=60
)
ALL_RULES = replace(PROFILE, monitors=(*PROFILE.monitors, STEP, FORECAST, NOVELTY))
Row = tuple[int, float, float]
Block = tuple[list[Row], list[Report]]


def make_full_scorer(devices: Sequence[WatchedDevice] = DEVICES) -> ShardScorer:
    """A scorer of every rule that has seen nothing."""
    return ShardScorer(devices, {"M-1": ALL_RULES})


def make_story(seed: int = 1) -> list[Block]:
    """Wear on one device that ends in work, a shift, a new firmware and an alarm on the other; blocks of any size."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for k in range(SECONDS):
        for series in (1, 2, 3, 4):
            value = (50.0 if series % 2 else 5.0) + float(rng.normal(0.0, 0.4))
            if series == 1 and 150 <= k < 260:
                value += 0.45 * (k - 150)
            if series == 4 and 200 <= k < 260:
                value += 15.0
            if not (series == 3 and 300 <= k < 330):
                rows.append((series, float(k), value))
    reports: dict[int, Report] = {
        0: FirmwareReport(2, START, START, "main", "1.0", FirmwareState.UPDATED),
        270: WorkReport(1, START + 265 * SECOND, START + 265 * SECOND, "WO-1"),
        290: FirmwareReport(2, START + 285 * SECOND, START + 290 * SECOND, "main", "2.0", FirmwareState.UPDATED),
        340: EventReport(2, START + 340 * SECOND, START + 340 * SECOND, "E1", Severity.MAJOR),
    }
    chance = random.Random(seed)
    blocks: list[Block] = []
    while rows:
        size = chance.randrange(1, 140)
        some, rows = rows[:size], rows[size:]
        due = sorted(at for at in reports if at <= some[-1][1])
        blocks.append((some, [reports.pop(at) for at in due]))
    return blocks


def score_block(scorer: ShardScorer, number: int, block: Block) -> list[BreachTransition]:
    """What one block leads to; it was received at an instant of its own."""
    return scorer.score(make_block(block[0]), block[1], START + number * SECOND).transitions


def find_open(transitions: Sequence[BreachTransition]) -> list[OpenBreach]:
    """What the database says is open after these transitions."""
    found: dict[object, BreachTransition] = {}
    for t in transitions:
        if t.kind is TransitionKind.CLEARED:
            found.pop(t.breach_id, None)
        else:
            found[t.breach_id] = t
    return [
        OpenBreach(
            t.device_id,
            t.series_id,
            t.monitor,
            t.breach_kind,
            t.profile_version,
            t.severity,
            t.fault_group,
            to_micros(t.first_seen),
            to_micros(t.at),
            t.count,
            t.peak,
            t.params,
        )
        for t in found.values()
    ]


STORY = make_story()


@cache
def score_straight() -> tuple[ShardScorer, list[BreachTransition]]:
    """Who scored the story without a stop, and what came of it; every process of a run collects this file, one asks."""
    scorer = make_full_scorer()
    return scorer, [t for number, block in enumerate(STORY) for t in score_block(scorer, number, block)]


def test_the_story_has_a_breach_of_every_rule_that_readings_can_raise() -> None:
    _, expected = score_straight()
    raised = {t.monitor for t in expected if t.kind is TransitionKind.RAISED}
    assert raised >= {"high", "unusual", "joint", "level_jump", "level_forecast", "flow_novel", "code"}
    assert {t.reason_code for t in expected} >= {"baseline_relearned", "forecast_high", "device_code"}


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_kills_at_any_block_leave_the_same_breaches_and_the_same_state(seed: int) -> None:
    """Each process commits some blocks, writes check-points now and then, and dies without a word."""
    chance = random.Random(seed)
    recorded: list[BreachTransition] = []
    checkpoint, saved_at, committed = b"", 0, 0
    while committed < len(STORY):
        scorer = make_full_scorer()
        if checkpoint:
            adopt_bytes(scorer, checkpoint)
        for number in range(saved_at, committed):
            score_block(scorer, number, STORY[number])
        scorer.adopt_open(find_open(recorded))
        dies_after = committed + chance.randrange(1, len(STORY))
        for number in range(committed, min(dies_after, len(STORY))):
            found = score_block(scorer, number, STORY[number])
            if number == dies_after - 1 and chance.random() < 0.5:
                break  # before the round was committed: what it found is lost, and found again
            recorded += found
            committed = number + 1
            if chance.random() < 0.2:
                checkpoint, saved_at = scorer_to_bytes(scorer), committed
    straight, expected = score_straight()
    assert recorded == expected
    assert scorer_to_bytes(scorer) == scorer_to_bytes(straight)
