"""SMAP and MSL: telemetry and commands of two spacecraft with labelled faults (docs/benchmarks.md).

The recordings are not part of this repository. The train array of a channel is the warm-up, then its test array is
streamed; `anomaly.offline.telemetry` scores it without having seen a label, in one configuration for all channels.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.detectors.contract import Floats, Ints
from anomaly.offline.telemetry import score_telemetry
from benchmarks.anomaly_smap_events import EARLY_STEPS, Event, Tally, find_onsets, judge_onsets

STEP_US = 60_000_000
SPACECRAFT = ("SMAP", "MSL")
SEED = 7
SPLITS = 200
DROPS = 3
NOISE = 0.005
SCALE, OFFSET = 37.3, -11.9


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: the signal and its commands, `warmup` rows of training and then the rows to judge.

    `at_us` has a gap where rows were left out; events are counted in rows after the warm-up.
    """

    name: str
    spacecraft: str
    at_us: Ints
    values: Floats
    warmup: int
    events: tuple[Event, ...]


def load_channels(folder: Path) -> list[Channel]:
    """All channels of `folder`, in the order of its list; the events of a channel that has several lines are joined."""
    with (folder / "labeled_anomalies.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    events: dict[tuple[str, str], list[Event]] = {}
    for line in lines:
        found = [(int(start), int(end)) for start, end in json.loads(line["anomaly_sequences"])]
        events.setdefault((line["chan_id"], line["spacecraft"]), []).extend(found)
    channels = []
    for (name, spacecraft), of_channel in events.items():
        path = folder / "channels" / f"{name}.npz"
        if not path.exists():
            continue
        with np.load(path, allow_pickle=False) as arrays:
            train, test = (
                np.column_stack((arrays[f"{part}_value"], arrays[f"{part}_cmd"])).astype(np.float64)
                for part in ("train", "test")
            )
        joined = np.concatenate((train, test))
        at_us = np.arange(joined.shape[0], dtype=np.int64) * STEP_US
        channels.append(Channel(name, spacecraft, at_us, joined, train.shape[0], tuple(sorted(set(of_channel)))))
    return channels


def find_channel_onsets(channel: Channel, columns: int | None = None) -> list[int]:
    """Where alarms begin, in steps of the test array; `columns`: of how many columns the scorer may know."""
    values = channel.values[:, :columns]
    names = ["signal", *(f"command_{k}" for k in range(1, values.shape[1]))]
    scored = score_telemetry(names, channel.at_us, values, channel.warmup)
    return find_onsets(scored.alarm[channel.warmup :])


def find_alone_onsets(channel: Channel) -> list[int]:
    """Where alarms begin when the scorer has the signal without its commands."""
    return find_channel_onsets(channel, columns=1)


def find_scaled_onsets(channel: Channel) -> list[int]:
    """Where alarms begin when the signal is measured in another unit; this must change nothing."""
    scaled = channel.values.copy()
    scaled[:, 0] = SCALE * scaled[:, 0] + OFFSET
    return find_channel_onsets(replace(channel, values=scaled))


def drop_normal(channel: Channel, chance: np.random.Generator) -> Channel:
    """The channel without a random stretch of normal rows between the warm-up and its first event."""
    normal = max(min(start for start, _ in channel.events) - 2 * EARLY_STEPS, 0)
    begin = int(chance.integers(0, normal // 2 + 1))
    rows = int((normal - begin) * chance.uniform(0.3, 0.9))
    gone = slice(channel.warmup + begin, channel.warmup + begin + rows)
    return replace(
        channel,
        at_us=np.delete(channel.at_us, gone),
        values=np.delete(channel.values, gone, axis=0),
        events=tuple((start - rows, end - rows) for start, end in channel.events),
    )


def halve_warmup(channel: Channel) -> Channel:
    """The channel with the second half of its warm-up alone."""
    gone = channel.warmup // 2
    return replace(channel, at_us=channel.at_us[gone:], values=channel.values[gone:], warmup=channel.warmup - gone)


def add_noise(channel: Channel, chance: np.random.Generator) -> Channel:
    """The channel with noise of half a percent of its range on the signal."""
    values = channel.values.copy()
    values[:, 0] += NOISE * np.ptp(values[channel.warmup :, 0]) * chance.standard_normal(values.shape[0])
    return replace(channel, values=values)


def sum_tallies(tallies: Iterable[Tally]) -> Tally:
    """The tally of several channels together."""
    return sum(tallies, start=Tally())


def find_half_spread(tallies: Sequence[Tally]) -> dict[str, float]:
    """F0.5 of random halves of the channels: how much of the figure is the choice of channels."""
    chance = np.random.default_rng(SEED)
    found = []
    for _ in range(SPLITS):
        half = chance.permutation(len(tallies))[: len(tallies) // 2]
        found.append(sum_tallies(tallies[k] for k in half).find_f(0.5))
    low, middle, high = np.quantile(found, (0.1, 0.5, 0.9))
    return {"p10": round(float(low), 3), "p50": round(float(middle), 3), "p90": round(float(high), 3)}


def run(data: Path) -> dict[str, Any]:
    """The figures of SMAP and MSL below `data`/smap_msl."""
    channels = load_channels(data / "smap_msl")
    with ProcessPoolExecutor(max_workers=2) as pool:
        onsets = list(pool.map(find_channel_onsets, channels))
        alone = list(pool.map(find_alone_onsets, channels))
        scaled = list(pool.map(find_scaled_onsets, channels))
        chance = np.random.default_rng(SEED)
        changed = {f"normal rows dropped, {k + 1}": [drop_normal(c, chance) for c in channels] for k in range(DROPS)}
        changed["half of the warm-up"] = [halve_warmup(channel) for channel in channels]
        changed["noise added"] = [add_noise(channel, chance) for channel in channels]
        robustness = {
            name: sum_tallies(map(judge_onsets, pool.map(find_channel_onsets, them), (c.events for c in them)))
            for name, them in changed.items()
        }
    tallies = [judge_onsets(found, channel.events) for found, channel in zip(onsets, channels, strict=True)]
    by_craft = {
        craft: sum_tallies(t for t, channel in zip(tallies, channels, strict=True) if channel.spacecraft == craft)
        for craft in SPACECRAFT
    }
    flagged = [
        judge_onsets(find_onsets(np.ones(len(channel.values) - channel.warmup, dtype=bool)), channel.events)
        for channel in channels
    ]
    alone_tallies = [judge_onsets(found, channel.events) for found, channel in zip(alone, channels, strict=True)]
    return {
        "channels": len(channels),
        "rows": int(sum(len(channel.values) - channel.warmup for channel in channels)),
        "all": sum_tallies(tallies).to_figures(),
        **{craft: tally.to_figures() for craft, tally in by_craft.items()},
        "everything flagged": sum_tallies(flagged).to_figures(),
        "without the commands": sum_tallies(alone_tallies).to_figures(),
        "F0.5 of random halves of the channels": find_half_spread(tallies),
        **{name: tally.to_figures() for name, tally in robustness.items()},
        "channels that alarm elsewhere in another unit": sum(a != b for a, b in zip(onsets, scaled, strict=True)),
        "missed and false": {
            channel.name: {"missed": tally.events - tally.hits, "false": tally.false}
            for channel, tally in zip(channels, tallies, strict=True)
            if tally.false or tally.hits < tally.events
        },
    }
