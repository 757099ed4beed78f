"""SenML (RFC 8428): packs of records, with base fields and relative times, to parts like those of Forewarn's own JSON.

A record's name is its base name and its own name in one. What follows the last `:` or `/` of it is the sensor's key;
what stands before that names the device: the whole of it on a gateway's topic, where its last component is the serial,
and nothing but a remark on a device's own topic, which has named the device already.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from domain.reading import RejectionReason
from ingest.decode import Problem, TelemetryPart, describe, shorten
from ingest.device_table import Route
from ingest.formats.contract import Part
from ingest.formats.senml_packs import load_cbor_pack, load_json_pack
from ingest.formats.senml_units import find_sum_unit, find_ucum

_FIRST_ABSOLUTE_S = 1 << 28  # what is less counts from now (RFC 8428 s.4.5.3)
_LAST_S = 1e13  # far beyond what 64 bits of microseconds hold
# RFC 8428 is version 10. RFC 9100 made a set of features of the number: 16 stands for the secondary units, known here.
_OUR_VERSION = 10
_OUR_FEATURES = 10 | 16

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9:./_]*")
_BASES = frozenset({"bn", "bt", "bu", "bv", "bs"})
_SETTINGS = _BASES | {"bver"}
_KNOWN = _BASES | {"n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"}
_RARE_VALUES = frozenset({"vs", "vb", "vd", "s"})
_VALUES = ("v", "vs", "vb", "vd")
_UNIT_OF = ("v", "s")  # texts and booleans have none


def decode_senml_json(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """The parts of one pack in JSON."""
    return _read_pack(load_json_pack(payload), route, received_us)


def decode_senml_cbor(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """The parts of one pack in CBOR."""
    return _read_pack(load_cbor_pack(payload), route, received_us)


class _Named(NamedTuple):
    """What a name says: whose it is, what else it calls that device, and which sensor."""

    serial: str
    named_device: str
    key: str


# Serial, other name of the device, time in microseconds (None: now), and whether that counts from the receipt.
_Moment: TypeAlias = tuple[str, str, int | None, bool]
# What one record says: at which moment, its sensor, its values by their labels, and their unit or none.
_Measured: TypeAlias = tuple[_Moment, str, tuple[tuple[str, Any], ...], str]


def _make_part(
    moment: _Moment, values: dict[str, Any], units: dict[str, str], places: dict[str, tuple[int, str]]
) -> TelemetryPart:
    """Consecutive records of one device and one time, each sensor once; `places` has the number of the record and the
    label of the value for each sensor."""
    serial, named_device, observed_us, counts_from_receipt = moment
    body: dict[str, Any] = {"values": values}
    if observed_us is not None:
        body["ts"] = observed_us / 1000 if observed_us % 1000 else observed_us // 1000
    if units:
        body["units"] = units
    # Not by the constructor, which takes five times as long.
    return TelemetryPart._make(
        (serial, "", body, counts_from_receipt, False, named_device, partial(_name_field, places))
    )


def _name_field(places: dict[str, tuple[int, str]], name: str) -> str:
    first = next(iter(places.values()))[0]
    if name == "ts":
        return f"[{first}].t"
    kind, _, key = name.partition(".")
    index, label = places.get(key, (first, ""))
    if not label:
        return f"[{index}]"
    return f"[{index}].{'u' if kind == 'units' else label}"


class _Reader:
    """Reads record after record; base fields hold until they are set again."""

    def __init__(self, route: Route, received_us: int) -> None:
        self._route, self._received_us = route, received_us
        self._name, self._unit = "", ""
        self._time: float = 0
        self._value: float | None = None
        self._sum: float | None = None
        self._names: dict[str, _Named | Problem] = {}

    def read(self, i: int, record: Any) -> _Measured | Problem | None:
        """What the record measures, or what is wrong with it; None if it is only there for those that follow."""
        if type(record) is not dict:
            return _refuse(i, "", f"a record is an object, not {describe(record)}", {})
        labels = record.keys()
        if not labels.isdisjoint(_BASES):
            self._name, self._unit = record.get("bn", self._name), record.get("bu", self._unit)
            self._time = record.get("bt", self._time)
            self._value, self._sum = record.get("bv", self._value), record.get("bs", self._sum)
        if "v" not in record and labels <= _SETTINGS:
            return None
        name, unit = record.get("n", ""), record.get("u", self._unit)
        if type(name) is not str or type(unit) is not str:
            label, wrong = ("u", unit) if type(name) is str else ("n", name)
            return _refuse(i, label, f"must be a text, not {describe(wrong)}", record)
        full_name = self._name + name
        named = self._names.get(full_name)
        if named is None:
            named = self._names[full_name] = _split_name(full_name, self._route)
        if isinstance(named, Problem):
            return _refuse(i, "n", named.detail, record, named.reason)
        instant = _find_instant(record.get("t", 0), self._time, self._received_us)
        if isinstance(instant, str):
            return _refuse(i, "t", instant, record, RejectionReason.BAD_TIMESTAMP)
        values = _find_values(i, record, self._value, self._sum)
        if isinstance(values, Problem):
            return values
        moment = (named.serial, named.named_device, *instant)
        return moment, named.key, values, find_ucum(unit) if unit else ""


def _read_pack(pack: list[Any] | Problem, route: Route, received_us: int) -> Iterator[Part]:
    if isinstance(pack, Problem):
        yield pack
        return
    obstacle = _find_obstacle(pack)
    if obstacle is not None:
        yield obstacle
        return
    reader = _Reader(route, received_us)
    open_moment: _Moment | None = None  # of the values that wait for others of the same
    values: dict[str, Any] = {}
    units: dict[str, str] = {}
    places: dict[str, tuple[int, str]] = {}
    is_empty = True
    for i, record in enumerate(pack):
        found = reader.read(i, record)
        if found is None:
            continue
        is_empty = False
        if isinstance(found, Problem):
            if open_moment is not None:
                yield _make_part(open_moment, values, units, places)
                open_moment, values, units, places = None, {}, {}, {}
            yield found
            continue
        moment, sensor, measured, ucum = found
        for label, value in measured:
            key = f"{sensor}_sum" if label == "s" else sensor
            if open_moment is not None and (moment != open_moment or key in values):
                yield _make_part(open_moment, values, units, places)
                values, units, places = {}, {}, {}
            open_moment = moment
            values[key] = value
            places[key] = (i, label)
            if ucum and label in _UNIT_OF:
                units[key] = ucum if label == "v" else find_sum_unit(ucum)
    if open_moment is not None:
        yield _make_part(open_moment, values, units, places)
    if is_empty:
        yield Problem(RejectionReason.EMPTY, None, "the pack measures nothing")


def _find_obstacle(pack: list[Any]) -> Problem | None:
    """Why the pack as a whole cannot be used: it says so itself, or what many records rest upon is wrong."""
    for i, record in enumerate(pack):
        if type(record) is not dict:
            continue
        found = None
        if not record.keys() <= _KNOWN:
            found = _find_unknown(record)
        if found is None and not record.keys().isdisjoint(_BASES):
            found = _find_bad_base(record)
        if found is not None:
            reason, label, detail = found
            weight = sum(_count_values(one) for one in pack)
            return Problem(reason, f"[{i}].{shorten(label)}", detail, weight=max(1, weight))
    return None


def _find_unknown(record: dict[Any, Any]) -> tuple[RejectionReason, str, str] | None:
    for label, value in record.items():
        if label == "bver":
            if type(value) is not int or value < 1:
                return RejectionReason.NOT_SENML, label, f"must be a whole number from 1, not {describe(value)}"
            if value > _OUR_VERSION and value & ~_OUR_FEATURES:
                return RejectionReason.UNSUPPORTED, label, f"version {describe(value)} is not known here"
        elif isinstance(label, str) and label.endswith("_"):
            detail = "has to be understood to read the pack (it ends with _), and is not known here"
            return RejectionReason.UNSUPPORTED, label, detail
    return None


def _find_bad_base(record: dict[Any, Any]) -> tuple[RejectionReason, str, str] | None:
    for label in ("bn", "bu"):
        if type(record.get(label, "")) is not str:
            return RejectionReason.NOT_SENML, label, f"must be a text, not {describe(record[label])}"
    for label in ("bt", "bv", "bs"):
        if type(record.get(label, 0)) not in (int, float):
            return RejectionReason.NOT_SENML, label, f"must be a number, not {describe(record[label])}"
    return None


def _split_name(full_name: str, route: Route) -> _Named | Problem:
    if not full_name:
        return Problem(RejectionReason.NOT_SENML, None, "the record has no name, and no base name")
    if not _NAME.fullmatch(full_name):
        detail = f"{shorten(full_name)!r} is no name: A-Z a-z 0-9 - : . / _, beginning with a letter or digit"
        return Problem(RejectionReason.NOT_SENML, None, detail)
    at = max(full_name.rfind(":"), full_name.rfind("/"))
    key, device = full_name[at + 1 :], full_name[: max(at, 0)]
    device = device[max(device.rfind(":"), device.rfind("/")) + 1 :]
    if not key:
        return Problem(RejectionReason.NOT_SENML, None, f"the name {shorten(full_name)!r} names no sensor")
    if not route.by_gateway:
        return _Named(route.serial or "", device, key)
    if not device:
        detail = f"the name {shorten(full_name)!r} names no device; a gateway says serial/sensor or serial:sensor"
        return Problem(RejectionReason.UNKNOWN_SERIAL, None, detail)
    return _Named(device, "", key)


def _find_instant(time: Any, base_time: float, received_us: int) -> tuple[int | None, bool] | str:
    """Microseconds since 1970 (None: now) and whether they count from the receipt, or what is wrong."""
    if type(time) is not int and type(time) is not float:
        return f"must be a number, not {describe(time)}"
    seconds = base_time + time
    if not -_LAST_S < seconds < _LAST_S:
        return f"{seconds:g} s is no time"
    if seconds >= _FIRST_ABSOLUTE_S:
        return round(seconds * 1e6), False
    if seconds == 0:
        return None, False
    return received_us + round(seconds * 1e6), True


def _find_values(
    i: int, record: dict[str, Any], base_value: float | None, base_sum: float | None
) -> tuple[tuple[str, Any], ...] | Problem:
    """What a record measures, each with its label: its value, its sum, or both."""
    if base_sum is None and "v" in record and record.keys().isdisjoint(_RARE_VALUES):
        value = record["v"]
        if type(value) is not float and type(value) is not int:
            return _refuse(i, "v", f"must be a number, not {describe(value)}", record, RejectionReason.NOT_A_NUMBER)
        return (("v", value if base_value is None else base_value + value),)
    given = [label for label in _VALUES if label in record]
    if len(given) > 1:
        return _refuse(i, "", f"has more than one value: {', '.join(given)}", record)
    if given and (problem := _find_bad_value(i, given[0], record)) is not None:
        return problem
    found: list[tuple[str, Any]] = []
    if given == ["v"] or (not given and base_value is not None):
        found.append(("v", record.get("v", 0) + (0 if base_value is None else base_value)))
    elif given:
        found.append((given[0], record[given[0]]))
    if "s" in record or base_sum is not None:
        added = record.get("s", 0)
        if type(added) is not float and type(added) is not int:
            return _refuse(i, "s", f"must be a number, not {describe(added)}", record, RejectionReason.NOT_A_NUMBER)
        found.append(("s", added + (0 if base_sum is None else base_sum)))
    if not found:
        return _refuse(i, "", "holds neither a value nor a sum", record)
    return tuple(found)


def _find_bad_value(i: int, label: str, record: dict[str, Any]) -> Problem | None:
    value = record[label]
    if label == "vd":
        return _refuse(i, label, "data are no reading", record, RejectionReason.UNSUPPORTED)
    wanted: tuple[type, ...] = {"v": (int, float), "vs": (str,), "vb": (bool,)}[label]
    if type(value) in wanted:
        return None
    kind = {"v": "a number", "vs": "a text", "vb": "a boolean"}[label]
    return _refuse(i, label, f"must be {kind}, not {describe(value)}", record, RejectionReason.NOT_A_NUMBER)


def _refuse(
    i: int,
    label: str,
    detail: str,
    record: dict[str, Any],
    reason: RejectionReason = RejectionReason.NOT_SENML,
) -> Problem:
    return Problem(reason, f"[{i}].{label}" if label else f"[{i}]", detail, weight=max(1, _count_values(record)))


def _count_values(record: Any) -> int:
    return sum(label in record for label in (*_VALUES, "s")) if type(record) is dict else 1
