"""A whole run in memory: what it finds is found by production's evaluator, and twice the same."""

from dataclasses import replace

import pytest

from domain.lab import LAB_FAULTS, LabRequest
from domain.profile import Profile
from lab.figures import _find_width
from lab.judged_profile import NOT_SENT, OTHER_UNIT, LeftOut, judge_profile, load_bundled
from lab.run import run_lab
from lab.traces import find_sensors

REQUEST = LabRequest(model="VEN-500", fault="circuit_leak", devices=3, days=3, seed=4, rate=0.5)


def find_changed(profile: Profile, sensor: str, **changes: object) -> Profile:
    return replace(
        profile,
        sensors=tuple(replace(s, **changes) if s.key == sensor else s for s in profile.sensors),  # type: ignore[arg-type]
    )


def test_what_simulated_devices_do_not_send_is_left_out_and_named() -> None:
    profile = load_bundled("INF-200")
    assert judge_profile(profile) == (profile, ())
    renamed = find_changed(profile, "temperature", key="warmth")
    judged, left = judge_profile(replace(renamed, monitors=profile.monitors))
    assert LeftOut("temperature_high", "temperature", NOT_SENT) in left
    assert judged.find_monitor("temperature_high") is None
    assert judged.find_sensor("warmth") is None
    assert judged.find_monitor("pressure_high") is not None
    _, left = judge_profile(find_changed(profile, "pressure", unit="mm[Hg]"))
    assert LeftOut("pressure_high", "pressure", OTHER_UNIT) in left


def test_the_end_is_asked_for_by_who_hears_of_its_progress() -> None:
    class EnoughError(Exception):
        pass

    def stop(share: float, message: str) -> None:
        assert message == "seed 4"
        if share > 0.01:
            raise EnoughError

    with pytest.raises(EnoughError):
        run_lab(REQUEST, load_bundled("VEN-500"), stop)


def test_an_example_shows_the_sensor_at_fault_or_what_the_monitors_of_the_fault_look_at() -> None:
    profile = load_bundled("INF-200")
    faults = {fault.key: fault for fault in LAB_FAULTS["INF-200"]}
    assert find_sensors(profile, faults["silent_sensor"], "battery_health") == ("battery_health",)
    assert find_sensors(profile, faults["silent_sensor"], "of_another_profile") == ()
    assert find_sensors(profile, faults["occlusion"], None) == ("pressure", "flow_error")
    assert find_sensors(profile, faults["offline"], None) == ("pressure",)


def test_bins_of_warning_are_as_wide_as_people_read() -> None:
    assert [_find_width(longest) for longest in (94.0, 700.0, 3 * 3_600.0, 9.5 * 86_400.0, 25 * 86_400.0)] == [
        10,
        60,
        1_800,
        86_400,
        5 * 86_400,
    ]
