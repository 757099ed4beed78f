"""The bundled profile on recordings of a real pump with real valve faults (FOREWARN_DATA/skab; not in this repository).

The floors keep what was reached; they are no claim that it is good.
"""

import csv
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.shard_scorer import ShardScorer
from domain.breach import TransitionKind
from domain.clock import to_micros
from domain.profile import Profile
from domain.profile_file import parse_profile
from store.blocks import BlockColumns

WARMUP = 400
COLUMNS = {
    "Accelerometer1RMS": "accelerometer1_rms",
    "Accelerometer2RMS": "accelerometer2_rms",
    "Current": "current",
    "Pressure": "pressure",
    "Temperature": "temperature",
    "Thermocouple": "thermocouple",
    "Voltage": "voltage",
    "Volume Flow RateRMS": "volume_flow_rate_rms",
}
PROFILE_FILE = Path(__file__).parents[3] / "profiles" / "skab_pump.yaml"


def _find_recordings() -> list[Path]:
    folder = os.environ.get("FOREWARN_DATA")
    if not folder or not (Path(folder) / "skab").is_dir():
        pytest.skip("FOREWARN_DATA names no folder with skab/: the recordings are not part of this repository")
    return sorted(p for part in ("valve1", "valve2", "other") for p in (Path(folder) / "skab" / part).glob("*.csv*"))


@dataclass(frozen=True)
class Judged:
    """One recording after warm-up: truth and alarm state of every row."""

    fault: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
    alarm: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"


def _judge(path: Path, profile: Profile, monitor: str) -> Judged:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    at_us = [to_micros(datetime.fromisoformat(r["datetime"]).replace(tzinfo=UTC)) for r in rows]
    series = {key: i + 1 for i, key in enumerate(COLUMNS.values())}
    scorer = ShardScorer([WatchedDevice(1, "SKAB-1", profile.model, "", series)], {profile.model: profile})
    alarm = np.zeros(len(rows), dtype=bool)
    is_on = False
    for k, row in enumerate(rows):
        values = np.array([float(row[column]) for column in COLUMNS])
        block = BlockColumns(np.arange(1, 9, dtype=np.int32), np.full(8, at_us[k]), values, np.zeros(8, dtype=np.int16))
        for t in scorer.score(block, [], at_us[k]).transitions:
            if t.monitor == monitor and t.kind is not TransitionKind.ESCALATED:
                is_on = t.kind is TransitionKind.RAISED
        alarm[k] = is_on
    fault = np.array([float(row["anomaly"]) > 0 for row in rows])
    return Judged(fault[WARMUP:], alarm[WARMUP:])


def test_the_multivariate_monitor_on_real_valve_faults(record_property: Callable[[str, object], None]) -> None:
    paths = _find_recordings()
    profile = parse_profile(PROFILE_FILE.read_text(encoding="utf-8"), PROFILE_FILE.name)
    assert isinstance(profile, Profile)
    judged = [_judge(path, profile, "circuit_unusual") for path in paths]
    fault, alarm = np.concatenate([j.fault for j in judged]), np.concatenate([j.alarm for j in judged])
    hit, false, missed = (fault & alarm).sum(), (~fault & alarm).sum(), (fault & ~alarm).sum()
    f1 = 2 * hit / (2 * hit + false + missed)
    f1_of_all = 2 * fault.sum() / (fault.sum() + fault.shape[0])
    seen = sum(bool((j.fault & j.alarm).any()) for j in judged)
    record_property("skab", {"f1": float(f1), "f1_of_everything": float(f1_of_all), "seen": seen})
    assert f1 > f1_of_all + 0.1, (f1, f1_of_all)
    assert false / (~fault).sum() < 0.1
    assert missed / fault.sum() < 0.3
    assert seen >= 0.8 * len(judged)
