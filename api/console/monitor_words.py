"""Monitors in words: what one watches and how, what its threshold is counted in, and what of it drifts."""

from dataclasses import dataclass

from api.console.page import View
from api.shapes.monitors import DriftShape
from domain.figures import say_limit
from domain.monitor_names import name_monitor
from domain.profile import Monitor, MonitorRule, Profile
from domain.sentences import find_unit_sign, set_unit

# What a raised score is counted in, where it is not the sensor's own unit.
SCORES = {
    MonitorRule.ADAPTIVE: "monitors.in_deviations",
    MonitorRule.MULTIVARIATE: "monitors.in_warmups",
    MonitorRule.NOVELTY: "monitors.in_surprise",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What a threshold is counted in, and with how many decimals it is said at least."""

    unit: str
    decimals: int
    is_score: bool = False


COUNT = Measure("", 0)


def find_label(view: View, profile: Profile, monitor: Monitor) -> str:
    """What the monitor watches and how, in the reader's language."""
    return view.say(name_monitor(profile, monitor))


def find_measure(view: View, profile: Profile, monitor: Monitor) -> Measure:
    """What its threshold is counted in: a score, or the sensor's unit with the sensor's decimals."""
    if monitor.rule in SCORES:
        return Measure(view.t(SCORES[monitor.rule]), 0, is_score=True)
    sensor = profile.find_sensor(monitor.sensors[0]) if monitor.sensors else None
    if sensor is None:
        return COUNT
    sign = find_unit_sign(sensor.unit)
    return Measure(f"{sign or '1'}/s" if monitor.rule is MonitorRule.RATE_OF_CHANGE else sign, sensor.decimals)


def say_threshold(value: float | None, measure: Measure) -> str:
    """A threshold with what it is counted in, never rounded."""
    return "–" if value is None else set_unit(say_limit(value, measure.decimals), measure.unit)


def name_subject(view: View, profile: Profile, day: DriftShape) -> str:
    """What drifts: readings of a sensor, or the monitor's own scores; of which firmware, if not of all."""
    sensor = profile.find_sensor(day.subject)
    is_score = day.kind == "score" or sensor is None
    name = view.t("monitors.drift_scores") if is_score or sensor is None else view.say(sensor.label)
    return view.t("monitors.drift_of_firmware", name=name, firmware=day.firmware) if day.firmware else name
