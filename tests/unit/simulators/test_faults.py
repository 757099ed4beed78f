"""When a fault is how strong, and what the ground truth says of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from simulators.faults import Fault, FaultKind, Intensities, append_truth, describe_truth

ONSET_US = 1_770_000_000_000_000


@pytest.mark.parametrize(
    ("seconds", "shape", "expected"),
    [(-1, 1.0, 0.0), (0, 1.0, 0.0), (50, 1.0, 0.5), (100, 1.0, 1.0), (150, 1.0, 1.0), (200, 1.0, 0.0), (50, 2.0, 0.25)],
)
def test_a_fault_grows_to_full_strength_and_ends(seconds: int, shape: float, expected: float) -> None:
    fault = Fault("A", FaultKind.OCCLUSION, ONSET_US, 100.0, ONSET_US + 200_000_000, shape=shape)
    assert fault.find_intensity(ONSET_US + seconds * 1_000_000) == pytest.approx(expected)


def test_a_fault_that_does_not_grow_is_there_at_once() -> None:
    fault = Fault("A", FaultKind.STUCK_SENSOR, ONSET_US, 0.0, sensor="pressure")
    assert (fault.find_intensity(ONSET_US - 1), fault.find_intensity(ONSET_US)) == (0.0, 1.0)


def test_functional_failure_is_full_strength_unless_the_fault_ended_before() -> None:
    assert Fault("A", FaultKind.MOTOR_WEAR, ONSET_US, 60.0).failure_us == ONSET_US + 60_000_000
    assert Fault("A", FaultKind.MOTOR_WEAR, ONSET_US, 60.0, ONSET_US + 1).failure_us is None


def test_the_strongest_of_two_faults_of_one_kind_counts_per_unit() -> None:
    faults = [
        Fault("B", FaultKind.MOTOR_WEAR, ONSET_US, 100.0),
        Fault("B", FaultKind.MOTOR_WEAR, ONSET_US, 50.0),
        Fault("elsewhere", FaultKind.MOTOR_WEAR, ONSET_US, 1.0),
    ]
    strength = Intensities(["A", "B"], faults, ONSET_US + 25_000_000)
    assert np.allclose(strength.of(FaultKind.MOTOR_WEAR), [0.0, 0.5])
    assert np.allclose(strength.of(FaultKind.OCCLUSION), [0.0, 0.0])


def test_a_fault_survives_its_state_file() -> None:
    fault = Fault("A", FaultKind.SILENT_SENSOR, ONSET_US, 0.0, None, "pressure", 2.0)
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault


def test_the_truth_file_is_one_json_object_per_fault(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    fault = Fault("A", FaultKind.OCCLUSION, ONSET_US, 20.0, ONSET_US + 30_000_000)
    append_truth(path, [describe_truth(fault, "INF-200", "occlusion", firmware="2.4.0")])
    append_truth(path, [describe_truth(fault, "INF-200", "occlusion", firmware="2.4.1")])
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert first == {
        "serial": "A",
        "model": "INF-200",
        "kind": "occlusion",
        "fault_group": "occlusion",
        "sensor": None,
        "onset": "2026-02-02T02:40:00+00:00",
        "growth_s": 20.0,
        "shape": 1.0,
        "functional_failure": "2026-02-02T02:40:20+00:00",
        "end": "2026-02-02T02:40:30+00:00",
        "firmware": "2.4.0",
    }
    assert second["firmware"] == "2.4.1"
