"""Monitors in words: what one watches and how, what its threshold is counted in, and what of it drifts."""

from api.console.page import View
from api.shapes.monitors import DriftShape
from domain.profile import Monitor, MonitorRule, Profile
from domain.sentences import find_unit_sign

# What a raised score is counted in, where it is not the sensor's own unit.
SCORES = {
    MonitorRule.ADAPTIVE: "monitors.in_deviations",
    MonitorRule.MULTIVARIATE: "monitors.in_warmups",
    MonitorRule.NOVELTY: "monitors.in_surprise",
}


def find_label(view: View, profile: Profile, monitor: Monitor) -> str:
    """What the monitor watches and how, in the reader's language."""
    names = []
    for key in monitor.sensors:
        sensor = profile.find_sensor(key)
        names.append(key if sensor is None else sensor.label.zh if view.language == "zh" else sensor.label.en)
    rule = view.name("rule", monitor.rule.value)
    if not names:
        return rule[:1].upper() + rule[1:]
    if monitor.rule in (MonitorRule.LIMIT, MonitorRule.FORECAST, MonitorRule.RATE_OF_CHANGE):
        rule = view.t("monitors.rule_directed", rule=rule, direction=view.name("direction", monitor.direction.value))
    return view.t("monitors.label", sensors=view.t("list.comma").join(names), rule=rule)


def find_unit(view: View, profile: Profile, monitor: Monitor) -> str:
    """What its threshold is counted in."""
    if monitor.rule in SCORES:
        return view.t(SCORES[monitor.rule])
    sensor = profile.find_sensor(monitor.sensors[0]) if monitor.sensors else None
    sign = find_unit_sign(sensor.unit) if sensor else ""
    return f"{sign or '1'}/s" if monitor.rule is MonitorRule.RATE_OF_CHANGE else sign


def say_value(value: float | None, unit: str) -> str:
    """A threshold with what it is counted in."""
    return "–" if value is None else f"{value:.6g} {unit}".strip()


def name_subject(view: View, profile: Profile, day: DriftShape) -> str:
    """What drifts: readings of a sensor, or the monitor's own scores; of which firmware, if not of all."""
    sensor = profile.find_sensor(day.subject)
    if day.kind == "score" or sensor is None:
        name = view.t("monitors.drift_scores")
    else:
        name = sensor.label.zh if view.language == "zh" else sensor.label.en
    return view.t("monitors.drift_of_firmware", name=name, firmware=day.firmware) if day.firmware else name
