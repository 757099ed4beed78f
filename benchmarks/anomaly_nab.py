"""NAB with `forewarn score`'s own scorer: one configuration for all files, nothing known of any of them.

Three figures for each application profile. `best`: with the limit that is best for the whole corpus, which is what the
published table reports. `other_half`: the files are divided into halves, the limit is chosen on one and applied to the
other, both ways, for 20 random divisions. `product`: the alarms of the product's own breach rules, no limit chosen.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.offline.table import read_table, score_table
from benchmarks.anomaly_nab_scorer import (
    APPLICATIONS,
    Application,
    Bools,
    Floats,
    Gains,
    Judged,
    find_best_limit,
    find_gains,
    judge_rows,
    sum_at_limit,
    to_percent,
)

DIVISIONS = 20
SEED = 1
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """One file of the corpus with what the scorer said."""

    name: str
    judged: Judged
    score: Floats
    alarm: Bools


def score_file(data: Path, windows: dict[str, list[tuple[str, str]]], name: str) -> ScoredFile:
    """Reads and scores one file as `forewarn score FILE --time timestamp --values value` does."""
    table = read_table(data / "data" / f"{name}.gz", "timestamp", ["value"])
    scored = score_table(table, None)
    rows = [
        (
            int(np.searchsorted(table.at_us, _to_us(a), "left")),
            int(np.searchsorted(table.at_us, _to_us(b), "right")) - 1,
        )
        for a, b in sorted(windows[name])
    ]
    return ScoredFile(name, judge_rows(table.at_us.shape[0], rows), scored.score, scored.alarm)


def _to_us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * MICROSECONDS)


def run(data: Path) -> dict[str, Any]:
    """The figures of NAB below `data`/nab."""
    folder = data / "nab"
    windows = json.loads((folder / "labels" / "windows.json").read_text())
    names = sorted(name for name in windows if (folder / "data" / f"{name}.gz").exists())
    with ProcessPoolExecutor(max_workers=2) as pool:
        files = list(pool.map(partial(score_file, folder, windows), names))
    total = sum(file.judged.windows for file in files)
    by_score = [find_gains(file.judged, file.score) for file in files]
    by_alarm = [find_gains(file.judged, file.alarm.astype(np.float64)) for file in files]
    found: dict[str, Any] = {
        "files": len(files),
        "rows": sum(len(file.score) for file in files),
        "windows": total,
        "alarms": int(sum(file.alarm[file.judged.begins :].sum() for file in files)),
    }
    for name, application in APPLICATIONS.items():
        raw, limit = find_best_limit(by_score, application)
        halves = _find_other_half(by_score, application)
        found[name] = {
            "best": round(to_percent(raw, total, application), 1),
            "best_limit": round(limit, 3),
            "other_half": round(to_percent(float(np.mean(halves)), total, application), 1),
            "other_half_sd": round(to_percent(float(np.std(halves)), total, application), 1),
            "product": round(to_percent(sum_at_limit(by_alarm, application, 1.0), total, application), 1),
        }
    return found


def _find_other_half(gains: list[Gains], application: Application) -> list[float]:
    """Raw gain of the corpus for each division, every file judged by the limit that is best for the other half."""
    random = np.random.default_rng(SEED)
    totals = []
    for _ in range(DIVISIONS):
        order = random.permutation(len(gains))
        halves = [[gains[i] for i in part] for part in np.array_split(order, 2)]
        one, other = (find_best_limit(half, application)[1] for half in halves)
        totals.append(sum_at_limit(halves[0], application, other) + sum_at_limit(halves[1], application, one))
    return totals
