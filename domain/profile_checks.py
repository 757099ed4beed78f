"""What must hold between the fields of a profile: references, order of limits, units, identifiers."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from domain.breach import BreachKind
from domain.profile import (
    DataQualityPolicy,
    Direction,
    FaultGroup,
    IngestPolicy,
    Monitor,
    MonitorRule,
    Sensor,
    TicketPolicy,
)
from domain.profile_fields import FieldReader, suggest
from domain.ucum import KNOWN_UNITS, find_nearest_unit

KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.001, 31 * 86_400
MAX_M = 64  # the scores that a breach rule remembers, one bit each

# The kinds of breach that a rule can open; the first is what a monitor without `kind` means.
KINDS_BY_RULE: dict[MonitorRule, tuple[BreachKind, ...]] = {
    MonitorRule.LIMIT: (BreachKind.LIMIT,),
    MonitorRule.RATE_OF_CHANGE: (BreachKind.LIMIT,),
    MonitorRule.FLAT_LINE: (BreachKind.LIMIT, BreachKind.STALE),
    MonitorRule.STALENESS: (BreachKind.STALE,),
    MonitorRule.ADAPTIVE: (BreachKind.ANOMALY,),
    MonitorRule.MULTIVARIATE: (BreachKind.ANOMALY,),
    MonitorRule.NOVELTY: (BreachKind.ANOMALY,),
    MonitorRule.FORECAST: (BreachKind.FORECAST,),
    MonitorRule.DEVICE_CODE: (BreachKind.DEVICE_CODE,),
    MonitorRule.OFFLINE: (BreachKind.OFFLINE,),
}
LEARNING_RULES = {MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY}
THRESHOLD_RULES = {MonitorRule.LIMIT, MonitorRule.RATE_OF_CHANGE, MonitorRule.FORECAST} | LEARNING_RULES
LIMIT_RULES = {MonitorRule.LIMIT, MonitorRule.FORECAST}  # their limit is a value of the sensor and has a side
WINDOW_RULES = {MonitorRule.FLAT_LINE, MonitorRule.STALENESS, MonitorRule.FORECAST}
DEVICE_RULES = {MonitorRule.DEVICE_CODE, MonitorRule.OFFLINE}

# field -> the rules for which it means something
MEANINGFUL: dict[str, set[MonitorRule]] = {
    "raise_at": THRESHOLD_RULES,
    "clear_at": THRESHOLD_RULES,
    "critical_at": THRESHOLD_RULES,
    "n": THRESHOLD_RULES,
    "m": THRESHOLD_RULES,
    "direction": THRESHOLD_RULES,
    "window_s": WINDOW_RULES,
    "tolerance": {MonitorRule.FLAT_LINE},
    "warmup": LEARNING_RULES,
    "codes": {MonitorRule.DEVICE_CODE},
    "lead_time_s": {MonitorRule.FORECAST},
}
NEEDED: dict[str, set[MonitorRule]] = {
    "raise_at": THRESHOLD_RULES,
    "clear_at": THRESHOLD_RULES,
    "window_s": WINDOW_RULES,
    "warmup": LEARNING_RULES,
    "duration_s": {MonitorRule.OFFLINE},
    "lead_time_s": {MonitorRule.FORECAST},
}
LONGEST_S = 366 * 86_400
LARGEST_THRESHOLD = 1e15
LARGEST = {
    **dict.fromkeys(("window_s", "duration_s", "clear_duration_s", "lead_time_s"), LONGEST_S),
    **dict.fromkeys(("tolerance", "warmup"), 1e9),
}
ABOVE_ZERO = ("warmup", "duration_s", "window_s", "lead_time_s")
NOTHING_GIVEN = Monitor("", MonitorRule.LIMIT, BreachKind.LIMIT, severity=None, fault_group="")  # type: ignore[arg-type]


def default_fields(hint: type, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record with those added that follow from the others."""
    if hint is Monitor and "kind" not in values and isinstance(values.get("rule"), MonitorRule):
        return {**values, "kind": KINDS_BY_RULE[values["rule"]][0]}
    return values


def check_profile(values: dict[str, Any], reader: FieldReader) -> None:
    """Notes at `reader` every rule between fields that the profile's readable fields break."""
    _check_identity(values, reader)
    for hint, what in ((Sensor, "sensors"), (FaultGroup, "fault_groups"), (Monitor, "monitors")):
        _check_keys(hint, what, values, reader)
    for sensor in values.get("sensors", ()):
        _check_sensor(sensor, reader)
    sensors = {sensor.key: sensor for sensor in values.get("sensors", ())}
    for monitor in values.get("monitors", ()):
        path = reader.path_of(monitor)
        for field, reason in find_monitor_problems(monitor, sensors):
            reader.note(f"{path}.{field}", reason)
        _check_references(monitor, path, reader)
    if isinstance(values.get("ingest"), IngestPolicy):
        for field in IngestPolicy.__dataclass_fields__:
            if getattr(values["ingest"], field) <= 0:
                reader.note(f"ingest.{field}", "must be above 0")
    if isinstance(values.get("data_quality"), DataQualityPolicy):
        for field, reason in _find_quality_problems(values["data_quality"]):
            reader.note(f"data_quality.{field}", reason)
    if isinstance(values.get("tickets"), TicketPolicy):
        for field, reason in _find_ticket_problems(values["tickets"]):
            reader.note(f"tickets.{field}", reason)


def _check_identity(values: dict[str, Any], reader: FieldReader) -> None:
    model = values.get("model")
    if isinstance(model, str) and not MODEL.fullmatch(model):
        reader.note("model", "must be letters, digits, `.`, `_`, `-`, at most 63, as it stands in files and addresses")
    version = values.get("version")
    if isinstance(version, int) and version < 1:
        reader.note("version", "must be 1 or more")
    udi_di = values.get("udi_di")
    if isinstance(udi_di, str):
        if not re.fullmatch(r"\d{14}", udi_di):
            reader.note("udi_di", "must be a GTIN-14: 14 digits")
        elif (expected := find_gtin_check_digit(udi_di[:-1])) != udi_di[-1]:
            reader.note("udi_di", f"the check digit is {udi_di[-1]}; by GS1 mod 10 it must be {expected}")


def find_gtin_check_digit(digits: str) -> str:
    """The GS1 mod 10 check digit of a GTIN without it (GS1 General Specifications, 7.9.1)."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _check_keys(hint: type, what: str, values: dict[str, Any], reader: FieldReader) -> None:
    if what in values and not values[what] and not reader.declared.get(hint):
        reader.note(what, "must not be empty")
    first: dict[str, str] = {}
    for key, path in reader.declared.get(hint, []):
        if not KEY.fullmatch(key):
            reader.note(f"{path}.key", "must be lower-case letters, digits and `_`, start with a letter, at most 63")
        if key in first:
            reader.note(f"{path}.key", f"`{key}` is already the key of {first[key]}")
        first.setdefault(key, path)


def _check_sensor(sensor: Sensor, reader: FieldReader) -> None:
    path = reader.path_of(sensor)
    if sensor.unit not in KNOWN_UNITS:
        near = find_nearest_unit(sensor.unit)
        reader.note(
            f"{path}.unit", f"`{sensor.unit}` is no known UCUM unit" + (f"; did you mean `{near}`?" if near else "")
        )
    if not 0 <= sensor.decimals <= 9:
        reader.note(f"{path}.decimals", "must be 0 to 9")
    if sensor.physical_min >= sensor.physical_max:
        reader.note(f"{path}.physical_max", f"must be above physical_min ({sensor.physical_min:.15g})")
    # Beyond these the sums of a day, or the time of silence, are none that can be stored. NaN is beyond.
    if sensor.interval_s is not None and not SHORTEST_INTERVAL_S <= sensor.interval_s <= LONGEST_INTERVAL_S:
        reader.note(f"{path}.interval_s", f"must be {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:,} seconds")
    for i, state in enumerate(sensor.states):
        if state.text in [earlier.text for earlier in sensor.states[:i]]:
            reader.note(f"{path}.states[{i}].text", f"`{state.text}` stands here a second time")
        if not sensor.physical_min <= state.value <= sensor.physical_max:
            reader.note(f"{path}.states[{i}].value", "must be within physical_min and physical_max")


def _find_quality_problems(policy: DataQualityPolicy) -> Iterator[tuple[str, str]]:
    for field in DataQualityPolicy.__dataclass_fields__:
        value = getattr(policy, field)
        if value < 0 or (value > 1 and field != "max_skew_s"):
            yield field, "must not be negative" if field == "max_skew_s" else "must be a share, 0 to 1"


def _check_references(monitor: Monitor, path: str, reader: FieldReader) -> None:
    sensor_keys = [key for key, _ in reader.declared.get(Sensor, [])]
    for i, key in enumerate(monitor.sensors):
        if key not in sensor_keys:
            reader.note(f"{path}.sensors[{i}]", f"there is no sensor `{key}`{suggest(key, sensor_keys)}")
        elif key in monitor.sensors[:i]:
            reader.note(f"{path}.sensors[{i}]", f"`{key}` stands here a second time")
    group_keys = [key for key, _ in reader.declared.get(FaultGroup, [])]
    if monitor.fault_group not in group_keys:
        near = suggest(monitor.fault_group, group_keys)
        reader.note(f"{path}.fault_group", f"there is no fault group `{monitor.fault_group}`{near}")


def find_monitor_problems(monitor: Monitor, sensors: Mapping[str, Sensor]) -> Iterator[tuple[str, str]]:
    """Every rule that the monitor breaks, as its field and the reason; `sensors` are those of its profile, by key."""
    rule = monitor.rule
    if monitor.kind not in KINDS_BY_RULE[rule]:
        yield "kind", f"must be {' or '.join(KINDS_BY_RULE[rule])} for rule {rule}, not {monitor.kind}"
    for field, rules in MEANINGFUL.items():
        if rule not in rules and getattr(monitor, field) != getattr(NOTHING_GIVEN, field):
            yield field, f"has no meaning for rule {rule}"
    for field, rules in NEEDED.items():
        value = getattr(monitor, field)
        if rule in rules and value is None:
            yield field, f"is missing: rule {rule} needs it"
        elif rule in rules and value == 0 and field in ABOVE_ZERO:
            yield field, f"must be above 0 for rule {rule}"
    for field in ("window_s", "duration_s", "clear_duration_s", "tolerance", "warmup", "lead_time_s"):
        value = getattr(monitor, field)
        if value is not None and value < 0:
            yield field, "must not be negative"
    # Beyond these a time is none that can be added to another, or a number none that can be stored. NaN is beyond.
    for field, largest in LARGEST.items():
        value = getattr(monitor, field)
        if value is not None and not value <= largest:
            yield field, f"must be at most {largest:,.0f}"
    yield from _find_sensor_count_problems(monitor)
    if not 1 <= monitor.n <= monitor.m:
        yield "n", f"must be 1 to m ({monitor.m})"
    if monitor.m > MAX_M:
        yield "m", f"must be at most {MAX_M}"
    if rule in THRESHOLD_RULES:
        yield from _find_threshold_problems(monitor, sensors)


def _find_sensor_count_problems(monitor: Monitor) -> Iterator[tuple[str, str]]:
    count = len(monitor.sensors)
    if monitor.rule in DEVICE_RULES:
        if count:
            yield "sensors", f"rule {monitor.rule} is about the device: it takes no sensors"
    elif monitor.rule is MonitorRule.MULTIVARIATE:
        if count < 2:
            yield "sensors", "rule multivariate needs two sensors or more"
    elif count != 1:
        yield "sensors", f"rule {monitor.rule} needs exactly one sensor, not {count}"


def _find_threshold_problems(monitor: Monitor, sensors: Mapping[str, Sensor]) -> Iterator[tuple[str, str]]:
    raise_at, clear_at, critical_at = monitor.raise_at, monitor.clear_at, monitor.critical_at
    low = monitor.direction is Direction.LOW
    if monitor.rule in (MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY) and monitor.direction is not Direction.HIGH:
        yield "direction", f"must be high for rule {monitor.rule}: its score has one side only"
    if monitor.rule in LIMIT_RULES and monitor.direction is Direction.BOTH:
        yield "direction", f"must be high or low for rule {monitor.rule}; write two monitors of one fault group"
    # Deviations, multiples and absolute rates are amounts; a limit is a value of its sensor and has a side.
    signed = monitor.rule in LIMIT_RULES or (monitor.rule is MonitorRule.RATE_OF_CHANGE and low)
    for field in ("raise_at", "clear_at", "critical_at"):
        value = getattr(monitor, field)
        if value is not None and not abs(value) <= LARGEST_THRESHOLD:
            yield field, f"must be a number, at most {LARGEST_THRESHOLD:g} either way"
        elif not signed and value is not None and value <= 0:
            yield field, f"must be above 0 for rule {monitor.rule}"
    downwards = low and signed
    worse: Callable[[float, float], bool] = (lambda a, b: a < b) if downwards else (lambda a, b: a > b)
    side = "below" if downwards else "above"
    if raise_at is not None and clear_at is not None and not worse(raise_at, clear_at):
        yield "raise_at", f"must be {side} clear_at ({clear_at:.15g}), or the breach would raise and clear at once"
    if raise_at is not None and critical_at is not None and not worse(critical_at, raise_at):
        yield "critical_at", f"must be {side} raise_at ({raise_at:.15g})"
    sensor = sensors.get(monitor.sensors[0]) if monitor.sensors else None
    if monitor.rule in LIMIT_RULES and sensor is not None:
        for field in ("raise_at", "clear_at", "critical_at"):
            value = getattr(monitor, field)
            if value is not None and not sensor.physical_min <= value <= sensor.physical_max:
                span = f"{sensor.physical_min:.15g} to {sensor.physical_max:.15g} {sensor.unit}"
                where = f"the physical range of {sensor.key}, {span}"
                yield field, f"{value:.15g} is outside {where}: it could never be read"


def _find_ticket_problems(tickets: TicketPolicy) -> Iterator[tuple[str, str]]:
    for field in TicketPolicy.__dataclass_fields__:
        value = getattr(tickets, field)
        if not isinstance(value, tuple) and value <= 0:
            yield field, "must be above 0"
    if tickets.capa_p_value >= 1:
        yield "capa_p_value", "must be below 1"
    for field in ("response_h", "resolution_h"):
        hours: tuple[float, ...] = getattr(tickets, field)
        if min(hours) <= 0:
            yield field, "every time must be above 0"
        if list(hours) != sorted(hours):
            yield field, "must not fall from P1 to P4"
    if any(
        response > resolution for response, resolution in zip(tickets.response_h, tickets.resolution_h, strict=True)
    ):
        yield "resolution_h", "must not be shorter than response_h"
