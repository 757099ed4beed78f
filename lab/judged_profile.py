"""A profile as it can be judged on simulated devices: what looks at a signal that they do not send is left out."""

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from domain.profile import Monitor, Profile
from domain.profile_file import parse_profile
from lab.plan import kind_of

# The simulated physics gives its readings in the units of these.
BUNDLED = {"INF-200": "infusion_pump.yaml", "VEN-500": "ventilator.yaml"}
NOT_SENT = "not_sent"  # the simulated device has no such sensor
OTHER_UNIT = "other_unit"  # the simulated device reports it in another unit


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A monitor that is not judged in the lab, by which of its sensors, and why."""

    monitor: str
    sensor: str
    reason: str


def judge_profile(profile: Profile) -> tuple[Profile, tuple[LeftOut, ...]]:
    """The profile without the monitors that cannot be judged, and these."""
    units = {sensor.key: sensor.unit for sensor in load_bundled(profile.model).sensors}
    left = [found for monitor in profile.monitors if (found := _find_unjudged(profile, monitor, units)) is not None]
    names = {found.monitor for found in left}
    kept = tuple(monitor for monitor in profile.monitors if monitor.key not in names)
    sent = tuple(sensor for sensor in profile.sensors if units.get(sensor.key) == sensor.unit)
    return replace(profile, monitors=kept, sensors=sent), tuple(left)


def _find_unjudged(profile: Profile, monitor: Monitor, units: dict[str, str]) -> LeftOut | None:
    for key in monitor.sensors:
        sensor = profile.find_sensor(key)
        if key not in units or sensor is None:
            return LeftOut(monitor.key, key, NOT_SENT)
        if sensor.unit != units[key]:
            return LeftOut(monitor.key, key, OTHER_UNIT)
    return None


@cache
def load_bundled(model: str) -> Profile:
    """The profile that the simulated devices of this model were made for."""
    name = BUNDLED[kind_of(model).model]
    profile = parse_profile(resources.files("profiles").joinpath(name).read_text("utf-8"), name)
    assert isinstance(profile, Profile), profile
    return profile
