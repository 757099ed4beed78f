"""What a decoded part of a message may say: known device and sensors, a possible time, finite values in range. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from domain.clock import MICROS_PER_DAY, MICROS_PER_SECOND, from_micros
from domain.counting import say_count
from domain.reading import ReadingFlag, RejectionReason
from domain.unit_conversion import Conversion, find_conversion
from ingest.decode import Problem, TelemetryPart, count_values, describe, parse_time, shorten
from ingest.device_table import DeviceEntry, SensorEntry

MAX_CONVERSIONS = 64  # pairs of sensor and unit that one device may name beside the profile's own
QUALITY_FLAGS = {"good": ReadingFlag.NONE, "uncertain": ReadingFlag.UNCERTAIN, "bad": ReadingFlag.BAD}

# A message's own number: none, or from 0 up to what leaves room for sums in 64 bits.
NO_SEQ = -(1 << 63)
LAST_SEQ = 1 << 62


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """When something was received, and between which times it may say that it happened."""

    received_us: int
    oldest_us: int
    latest_us: int


def find_window(received_us: int, *, retention_days: float, max_future_s: float) -> TimeWindow:
    """The window of what is received at that time."""
    return TimeWindow(
        received_us=received_us,
        oldest_us=received_us - round(retention_days * MICROS_PER_DAY),
        latest_us=received_us + round(max_future_s * MICROS_PER_SECOND),
    )


@dataclass(slots=True)
class Judged:
    """The good readings of one message, column by column, and what is wrong with the rest."""

    series_id: list[int] = field(default_factory=list)
    observed_us: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)  # of the part that each stood in
    problems: list[Problem] = field(default_factory=list)

    def add(self, series_id: int, observed_us: int, value: float, flags: int, seq: int = NO_SEQ) -> None:
        """One good reading more."""
        self.series_id.append(series_id)
        self.observed_us.append(observed_us)
        self.value.append(value)
        self.flags.append(flags)
        self.seq.append(seq)

    def extend(self, other: "Judged") -> None:
        """All that the other holds, after what is here."""
        self.series_id += other.series_id
        self.observed_us += other.observed_us
        self.value += other.value
        self.flags += other.flags
        self.seq += other.seq
        self.problems += other.problems


def judge_time(body: Mapping[str, Any], path: str, window: TimeWindow) -> tuple[int, ReadingFlag] | Problem:
    """When it happened: what `ts` says, or, marked so, when it was received; or why that cannot be."""
    if "ts" not in body:
        return window.received_us, ReadingFlag.CLOCK_OF_RECEIPT
    observed_us = parse_time(body["ts"])
    if type(observed_us) is int and window.oldest_us <= observed_us <= window.latest_us:
        return observed_us, ReadingFlag.NONE
    where = join_path(path, "ts")
    if isinstance(observed_us, str):
        return Problem(RejectionReason.BAD_TIMESTAMP, where, observed_us)
    if observed_us > window.latest_us:
        ahead = (observed_us - window.received_us) / MICROS_PER_SECOND
        detail = f"{_name_time(observed_us)} is {_name_span(ahead)} in the future of its receipt"
        return Problem(RejectionReason.FROM_THE_FUTURE, where, detail, observed_us=observed_us)
    kept = (window.received_us - window.oldest_us) / MICROS_PER_SECOND
    detail = f"{_name_time(observed_us)} is older than the {_name_span(kept)} that readings are kept"
    return Problem(RejectionReason.TOO_OLD, where, detail)


def judge_telemetry(part: TelemetryPart, device: DeviceEntry | None, window: TimeWindow, judged: Judged) -> None:
    """Adds what is good in this part to `judged`, and a problem for everything that is not."""
    body = part.body

    def refuse(reason: RejectionReason, name: str, detail: str, lost: int = 1, observed_us: int | None = None) -> None:
        where = part.name_field(name) if part.name_field else join_path(part.path, name)
        judged.problems.append(Problem(reason, where, detail, part.serial, lost, observed_us))

    if device is None:
        detail = f"no device has the serial {shorten(part.serial)!r}"
        refuse(RejectionReason.UNKNOWN_SERIAL, "", detail, weigh(body))
        return
    if not isinstance(body, dict):
        detail = f'must be an object {{"ts": …, "values": {{…}}}}, not {describe(body)}'
        refuse(RejectionReason.WRONG_SHAPE, "", detail, weigh(body))
        return
    values = body.get("values")
    if not isinstance(values, dict):
        detail = f"must be an object of numbers, not {describe(values)}" if "values" in body else "is missing"
        refuse(RejectionReason.WRONG_SHAPE, "values", detail, weigh(body))
        return
    if not values:
        refuse(RejectionReason.EMPTY, "values", "holds no value")
        return
    time = judge_time(body, part.path, window)
    if isinstance(time, Problem):
        refuse(time.reason, "ts", time.detail, weigh(body), time.observed_us)
        return
    observed_us, clock_flag = time
    if part.counts_from_receipt:
        clock_flag = ReadingFlag.CLOCK_OF_RECEIPT
    if part.is_historical:
        clock_flag |= ReadingFlag.LATE
    seq = body.get("seq", NO_SEQ)
    if seq != NO_SEQ and (isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= LAST_SEQ):
        refuse(RejectionReason.WRONG_SHAPE, "seq", f"must be a whole number from 0, not {describe(seq)}", 0)
        seq = NO_SEQ
    quality, units = body.get("quality", _NO_REMARKS), body.get("units", _NO_REMARKS)
    if not isinstance(quality, dict) or not isinstance(units, dict):
        name, remarks = ("units", units) if isinstance(quality, dict) else ("quality", quality)
        detail = f"must be an object with a text for each value, not {describe(remarks)}"
        refuse(RejectionReason.WRONG_SHAPE, name, detail, weigh(body))
        return
    plain_flags = int(clock_flag)
    for name, value in values.items():
        sensor = device.sensors.get(name)
        if sensor is not None and not quality and type(value) in _NUMBERS and _SMALLEST < value < _LARGEST:
            # What nearly always comes. All that follows finds the same for it, and says what is wrong with the rest.
            converted: float | None = value
            if units and (unit := units.get(name, sensor.unit)) != sensor.unit:
                known = device.conversions.get((name, unit)) if type(unit) is str else None
                converted = known.convert(value) if type(known) is Conversion else None
            if converted is not None and sensor.physical_min <= converted <= sensor.physical_max:
                judged.add(sensor.series_id, observed_us, float(converted), plain_flags, seq)
                continue
        flag = judge_quality(quality[name]) if name in quality else ReadingFlag.NONE
        if sensor is None:
            refuse(RejectionReason.UNKNOWN_SENSOR, f"values.{shorten(name)}", _name_unknown_sensor(name, device))
            continue
        if flag is None:
            detail = f"must be good, uncertain or bad, not {describe(quality[name])}"
            refuse(RejectionReason.WRONG_SHAPE, f"quality.{name}", detail)
            continue
        conversion = None
        # A text is mapped to a number of the profile's own unit, whatever unit it was sent with.
        if units and (unit := units.get(name, sensor.unit)) != sensor.unit and not isinstance(value, str):
            found = _find_conversion(unit, name, sensor, device)
            if isinstance(found, str):
                detail = f"came in {describe(unit)}, the profile's unit is {sensor.unit!r}{found}"
                refuse(RejectionReason.UNIT_MISMATCH, f"units.{name}", detail)
                continue
            conversion = found
        number = judge_value(value, sensor, conversion)
        if isinstance(number, Problem):
            refuse(number.reason, f"values.{name}", number.detail)
        else:
            judged.add(sensor.series_id, observed_us, number, clock_flag | flag, seq)


_NO_REMARKS: dict[str, Any] = {}
_NUMBERS = (float, int)
_SMALLEST, _LARGEST = -1e300, 1e300  # between them nothing overflows


def weigh(body: Any) -> int:
    """How many values are lost with a part, at least one."""
    return max(1, count_values(body))


def _find_conversion(unit: Any, name: str, sensor: SensorEntry, device: DeviceEntry) -> Conversion | str:
    """The conversion, or what is to be said of it after both units are named."""
    if not isinstance(unit, str):
        return ""
    found = device.conversions.get((name, unit))
    if found is None:
        # To find one takes milliseconds: what a device can make us look for is bounded.
        if len(device.conversions) >= MAX_CONVERSIONS:
            return f"; this device has named {MAX_CONVERSIONS} units before"
        found = find_conversion(unit, sensor.unit)
        found = f", {found}" if isinstance(found, str) else found
        device.conversions[name, unit] = found
    return found


def judge_quality(quality: Any) -> ReadingFlag | None:
    """The mark that this quality makes, or None when it is no quality."""
    return QUALITY_FLAGS.get(quality) if isinstance(quality, str) else None


def judge_value(value: Any, sensor: SensorEntry, conversion: Conversion | None = None) -> float | Problem:
    """The value as a finite float of the sensor's unit in its physical range, or why it is none."""
    if not isinstance(value, _NUMBERS):  # a boolean is an int: 0 or 1
        state = sensor.states.get(value) if isinstance(value, str) else None
        if state is None:
            return Problem(RejectionReason.NOT_A_NUMBER, None, _name_no_number(value, sensor))
        value = state
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number != number:
        return Problem(RejectionReason.NOT_A_NUMBER, None, "is NaN")
    if conversion is not None:
        number = conversion.convert(number)
    if not sensor.physical_min <= number <= sensor.physical_max:
        return Problem(RejectionReason.OUT_OF_PHYSICAL_RANGE, None, _name_range(number, sensor))
    return number


def _name_range(number: float, sensor: SensorEntry) -> str:
    """With six digits, and with all of them where a value beyond the range would read like one at its end."""
    said = [f"{value:g}" for value in (number, sensor.physical_min, sensor.physical_max)]
    if said[0] in said[1:]:
        said = [f"{value:.15g}" for value in (number, sensor.physical_min, sensor.physical_max)]
    return f"{said[0]} {sensor.unit} is outside the physical range {said[1]} to {said[2]}"


def _name_no_number(value: Any, sensor: SensorEntry) -> str:
    if isinstance(value, str) and sensor.states:
        states = ", ".join(repr(text) for text in list(sensor.states)[:10])
        return f"{describe(value)} is neither a number nor one of the profile's states {states}"
    return f"must be a number or a boolean, not {describe(value)}"


def join_path(path: str, name: str) -> str | None:
    """The path of `name` below `path`; None for the whole message."""
    return f"{path}.{name}" if path and name else path or name or None


def _name_unknown_sensor(name: str, device: DeviceEntry) -> str:
    near = get_close_matches(name[:100], list(device.sensors), n=1, cutoff=0.75)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"the device's model has no sensor {shorten(name)!r}{hint}"


def _name_time(micros: int) -> str:
    try:
        return from_micros(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{micros // 1000} ms since 1970"


def _name_span(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return say_count(round(seconds / 86_400), "day")
    return f"{seconds:,.0f} s" if seconds < 7200 else f"{seconds / 3600:.1f} h"
