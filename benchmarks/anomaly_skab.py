"""SKAB: a pump test bed with valve and rotor faults, eight sensors at one reading a second (docs/benchmarks.md).

The recordings are not part of this repository (GPL-3). Each is scored by `anomaly.offline.joint` alone, with the first
400 rows as its warm-up and no label seen; one configuration, the product's, for all.
"""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from anomaly.detectors.contract import Bools, Floats, Ints
from anomaly.offline.joint import score_joint
from benchmarks.anomaly_skab_figures import Judged, count_rows, find_changes, score_changes
from domain.clock import to_micros

WARMUP = 400
FOLDERS = ("valve1", "valve2", "other")
FAULT_FREE = "anomaly-free"
LABELS = ("anomaly", "changepoint")
SEEDS = 5
LONGEST_DROP_SHARE = 0.75  # of the normal rows between the warm-up and the fault
SHORTEST_DROP = 20
LONGEST_TAIL = 200


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of the benchmark."""

    name: str
    columns: tuple[str, ...]
    at_us: Ints
    values: Floats
    fault: Bools
    change: Bools

    def keep(self, rows: Bools) -> "Recording":
        """The same without the other rows."""
        return Recording(
            self.name, self.columns, self.at_us[rows], self.values[rows], self.fault[rows], self.change[rows]
        )


def load_recording(path: Path, name: str) -> Recording:
    """Reads one file; one without labels has neither faults nor changes."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    columns = tuple(c for c in rows[0] if c not in ("datetime", *LABELS))
    at_us = np.array([to_micros(datetime.fromisoformat(r["datetime"]).replace(tzinfo=UTC)) for r in rows])
    values = np.array([[float(r[c] or "nan") for c in columns] for r in rows])
    fault, change = (np.array([float(r.get(label) or 0.0) > 0.0 for r in rows]) for label in LABELS)
    return Recording(name, columns, at_us, values, fault, change)


def load_recordings(data: Path) -> list[Recording]:
    """All labelled recordings under `data`/skab, in the order of their names."""
    return [
        load_recording(path, f"{folder}/{path.name.split('.')[0]}")
        for folder in FOLDERS
        for path in sorted((data / "skab" / folder).glob("*.csv*"))
    ]


def judge_recording(recording: Recording) -> Judged:
    """Alarms and labels of the rows after the warm-up."""
    table = score_joint(recording.columns, recording.at_us, recording.values, WARMUP)
    rest = slice(WARMUP, None)
    at_s = recording.at_us[rest] / 1e6
    return Judged(at_s, recording.fault[rest], recording.change[rest], table.alarm[rest])


def thin_recording(recording: Recording, rng: np.random.Generator) -> Recording:
    """The recording without a random stretch of normal rows between warm-up and fault, and without a random tail."""
    n = recording.at_us.shape[0]
    rows = np.ones(n, dtype=bool)
    faulty = np.flatnonzero(recording.fault)
    before = np.arange(WARMUP, faulty[0] if faulty.size else n)
    if before.size > SHORTEST_DROP:
        length = int(rng.integers(SHORTEST_DROP, max(SHORTEST_DROP + 1, int(LONGEST_DROP_SHARE * before.size))))
        first = int(rng.integers(0, before.size - length + 1))
        rows[before[first : first + length]] = False
    rows[n - int(rng.integers(0, min(LONGEST_TAIL, n - WARMUP))) :] = False
    return recording.keep(rows)


def find_figures(judged: Mapping[str, Judged]) -> dict[str, Any]:
    """Rows and change points of these recordings, as the benchmark reports them; shares in percent."""
    rows = count_rows(judged.values())
    everything = count_rows(Judged(j.at_s, j.fault, j.change, np.ones_like(j.fault)) for j in judged.values())
    return {
        "f1": round(rows.f1, 4),
        "far_percent": round(100 * rows.false_share, 2),
        "mar_percent": round(100 * rows.missed_share, 2),
        "f1_of_everything": round(everything.f1, 4),
        "change_points": {k: round(v, 2) for k, v in score_changes([find_changes(j) for j in judged.values()]).items()},
    }


def find_spread(figures: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Smallest, mean and largest of the figures of several runs."""
    runs = list(figures)
    picked = {
        "f1": [r["f1"] for r in runs],
        "far_percent": [r["far_percent"] for r in runs],
        "mar_percent": [r["mar_percent"] for r in runs],
        "change_points_standard": [r["change_points"]["standard"] for r in runs],
    }
    return {k: [round(min(v), 4), round(float(np.mean(v)), 4), round(max(v), 4)] for k, v in picked.items()}


def run(data: Path) -> dict[str, Any]:
    """The figures of the recordings under `data`/skab: all, by folder, and after dropping rows.

    Raises
    ------
    FileNotFoundError
        There are none.
    """
    recordings = load_recordings(data)
    if not recordings:
        raise FileNotFoundError(f"{data / 'skab'} has no recordings")
    judged = {r.name: judge_recording(r) for r in recordings}
    thinned = [
        find_figures({r.name: judge_recording(thin_recording(r, rng)) for r in recordings})
        for rng in (np.random.default_rng(seed) for seed in range(SEEDS))
    ]
    by_folder = {
        folder: find_figures({n: j for n, j in judged.items() if n.startswith(f"{folder}/")})
        for folder in FOLDERS
        if any(n.startswith(f"{folder}/") for n in judged)
    }
    return {
        "recordings": len(recordings),
        **find_figures(judged),
        "by_folder": by_folder,
        "rows_dropped": {"seeds": SEEDS, "min_mean_max": find_spread(thinned)},
        "fault_free": _find_fault_free(data),
    }


def _find_fault_free(data: Path) -> dict[str, Any] | None:
    paths = sorted((data / "skab" / FAULT_FREE).glob("*.csv*"))
    if not paths:
        return None
    alarm = judge_recording(load_recording(paths[0], FAULT_FREE)).alarm
    raised = int((np.diff(alarm.astype(np.int8), prepend=0) > 0).sum())
    return {"rows": int(alarm.shape[0]), "alarms": raised, "share_percent": round(100 * float(alarm.mean()), 2)}
