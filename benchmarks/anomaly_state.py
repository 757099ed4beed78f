"""Memory and cost of scoring: every detector on 100,000 series, 20,000 devices of 5 sensors, in this process alone.

    python -m benchmarks.anomaly_state [--devices 20000] [--blocks 40] [--block-readings 25000] [--json]

`state_mb` is what the arrays hold, and what a check-point writes; `rss_mb` is by how much the process grew, Python
objects included. Three costs: `ns_per_reading` with a limit and the adaptive detector on every series,
`ns_per_reading_metric` with every detector that scores a series by itself, in blocks of 5,000 readings of 5,000 series,
and `ns_per_reading_all` with every detector there is. The second one three times: on series that are 20 to 60 readings
old, on the same after 600 readings (`_settled`), and in blocks that hold any half of 10,000 series (`_scattered`).
`bytes_per_series_metric` is a check-point with these detectors alone, `memory_bytes_per_series_metric` their arrays and
those of the breach rules. All times are of the processor. The readings are noise: few of them reach a breach rule.
"""

import argparse
import gc
import json
import resource
import time
from collections.abc import Sequence

import numpy as np

from anomaly.bank import STEP_DETECTORS, WatchedDevice
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from domain.breach import Severity
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text
from domain.profile_checks import KINDS_BY_RULE
from store.blocks import BlockColumns

SENSORS = 5
START_US = 1_772_409_600_000_000
STEP_US = 1_000_000


def make_profile(rules: Sequence[MonitorRule]) -> Profile:
    """A model with five sensors and one monitor of each rule on every one of them (one in all if MULTIVARIATE)."""
    name = Text(en="benchmark", zh="基准测试")
    keys = tuple(f"s{i}" for i in range(SENSORS))
    sensors = tuple(Sensor(key, name, "1", 2, -1e6, 1e6) for key in keys)
    limits = {
        MonitorRule.LIMIT: (60.0, 58.0),
        MonitorRule.RATE_OF_CHANGE: (20.0, 15.0),
        MonitorRule.ADAPTIVE: (8.0, 4.0),
        MonitorRule.MULTIVARIATE: (2.2, 1.5),
        MonitorRule.NOVELTY: (6.0, 3.0),
        MonitorRule.FORECAST: (90.0, 85.0),
    }
    windows = {MonitorRule.FLAT_LINE: 600.0, MonitorRule.STALENESS: 600.0, MonitorRule.FORECAST: 7 * 86_400.0}
    high = (MonitorRule.LIMIT, MonitorRule.NOVELTY, MonitorRule.FORECAST)
    monitors = tuple(
        Monitor(
            key=rule.value,
            rule=rule,
            kind=KINDS_BY_RULE[rule][0],
            severity=Severity.MINOR,
            fault_group="all",
            sensors=keys,
            direction=Direction.HIGH if rule in high else Direction.BOTH,
            raise_at=limits.get(rule, (None, None))[0],
            clear_at=limits.get(rule, (None, None))[1],
            window_s=windows.get(rule),
            lead_time_s=86_400.0 if rule is MonitorRule.FORECAST else None,
            duration_s=10.0,
            warmup=20,
        )
        for rule in rules
    )
    group = FaultGroup("all", name, name, name, name)
    return Profile("BENCH-1", 1, "Forewarn", name, "", False, sensors, (group,), monitors)


def make_scorer(devices: int, rules: Sequence[MonitorRule]) -> ShardScorer:
    """One shard with all devices in it."""
    watched = [
        WatchedDevice(d + 1, f"B-{d:06d}", "BENCH-1", "1.0", {f"s{i}": d * SENSORS + i + 1 for i in range(SENSORS)})
        for d in range(devices)
    ]
    return ShardScorer(watched, {"BENCH-1": make_profile(rules)})


def make_blocks(devices: int, readings: int, count: int, seed: int) -> list[BlockColumns]:
    """Blocks of the devices' rows in turn, every device once a second."""
    rng = np.random.default_rng(seed)
    rows = readings // SENSORS
    blocks = []
    for b in range(count):
        row = b * rows + np.arange(rows, dtype=np.int64)
        device = row % devices
        series = (device[:, None] * SENSORS + np.arange(SENSORS) + 1).reshape(-1).astype(np.int32)
        at_us = np.repeat(START_US + row // devices * STEP_US, SENSORS)
        value = 50.0 + rng.normal(0, 1, series.shape[0])
        blocks.append(BlockColumns(series, at_us, value, np.zeros(series.shape[0], dtype=np.int16)))
    return blocks


def make_scattered_blocks(devices: int, readings: int, count: int, seed: int) -> list[BlockColumns]:
    """Blocks with one reading a second of some of the devices, others each time and in any order."""
    rng = np.random.default_rng(seed)
    rows = readings // SENSORS
    blocks = []
    for b in range(count):
        device = rng.permutation(devices)[:rows]
        series = (device[:, None] * SENSORS + np.arange(SENSORS) + 1).reshape(-1).astype(np.int32)
        at_us = np.full(series.shape[0], START_US + b * STEP_US, dtype=np.int64)
        value = 50.0 + rng.normal(0, 1, series.shape[0])
        blocks.append(BlockColumns(series, at_us, value, np.zeros(series.shape[0], dtype=np.int16)))
    return blocks


def measure_cost(scorer: ShardScorer, blocks: Sequence[BlockColumns], warm: int) -> float:
    """Nanoseconds of this thread per reading, after `warm` blocks."""
    for block in blocks[:warm]:
        scorer.score(block, [], START_US)
    began = time.thread_time_ns()
    for block in blocks[warm:]:
        scorer.score(block, [], START_US)
    return (time.thread_time_ns() - began) / sum(len(block) for block in blocks[warm:])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=20_000)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--block-readings", type=int, default=25_000)
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)

    few = make_scorer(2_000, (MonitorRule.LIMIT, MonitorRule.ADAPTIVE))
    costs = {}
    for readings in (5_000, 25_000):
        blocks = make_blocks(2_000, readings, 30, seed=1)
        costs[readings] = measure_cost(few, blocks, warm=10)
    del few
    per_metric = make_scorer(1_000, tuple(STEP_DETECTORS))
    blocks = make_blocks(1_000, 5_000, 640, seed=3)
    cost_metric = measure_cost(per_metric, blocks[:60], warm=20)
    cost_settled = measure_cost(per_metric, blocks[60:], warm=540)
    bytes_metric = len(scorer_to_bytes(per_metric)) / (1_000 * SENSORS)
    memory_metric = sum(
        bank.detector.bytes_per_slot + bank.rules.bytes_per_slot for bank in per_metric.banks.values() if bank.slots
    )
    per_metric = make_scorer(2_000, tuple(STEP_DETECTORS))
    cost_scattered = measure_cost(per_metric, make_scattered_blocks(2_000, 5_000, 80, seed=4), warm=40)
    del per_metric, blocks
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    every_rule = tuple(rule for rule in MonitorRule if rule not in (MonitorRule.DEVICE_CODE, MonitorRule.OFFLINE))
    scorer = make_scorer(options.devices, every_rule)
    blocks = make_blocks(options.devices, options.block_readings, options.blocks, seed=2)
    cost_all = measure_cost(scorer, blocks, warm=options.blocks // 4)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    state = scorer_to_bytes(scorer)
    save_s = time.process_time() - began
    began = time.process_time()
    adopt_bytes(scorer, state)
    load_s = time.process_time() - began
    series = options.devices * SENSORS
    found = {
        "series": series,
        "bytes_per_series": round(len(state) / series),
        "state_mb": round(len(state) / 1e6, 1),
        "rss_mb": round((after - before) / 1024, 1),
        "ns_per_reading": round(costs[25_000]),
        "ns_per_reading_block_5000": round(costs[5_000]),
        "ns_per_reading_metric": round(cost_metric),
        "ns_per_reading_metric_settled": round(cost_settled),
        "ns_per_reading_metric_scattered": round(cost_scattered),
        "bytes_per_series_metric": round(bytes_metric),
        "memory_bytes_per_series_metric": memory_metric,
        "ns_per_reading_all": round(cost_all),
        "checkpoint_save_s": round(save_s, 2),
        "checkpoint_load_s": round(load_s, 2),
    }
    if not options.json:
        for name, value in found.items():
            print(f"{name:34}{value:>12}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
