"""What single metrics mean: their values by data type, and what a birth declares. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from domain.reading import RejectionReason
from domain.sparkplug import SIGNED_BITS, TEXT_TYPES, UNSIGNED_BITS, DataType, Quality, is_control
from ingest.decode import Problem, shorten
from ingest.sparkplug.edge import Declared
from ingest.sparkplug.payload import Metric

Value: TypeAlias = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as the edge meant it. `device` is None for the node's own."""

    device: str | None
    name: str
    value: Value
    time_ms: int | None  # None: the payload says nothing of it
    unit: str | None
    quality: str  # good, uncertain, bad
    is_historical: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """A device, or with None the node itself, came or went. Without a time: when the message was received."""

    device: str | None
    is_online: bool
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AllLost:
    """The edge is dead, and which devices it had is not known here: those that the registry puts behind it."""


Meaning: TypeAlias = Reading | Presence | AllLost | Problem

_UNREADABLE = {
    DataType.DATASET: "a data set",
    DataType.BYTES: "bytes",
    DataType.FILE: "a file",
    DataType.TEMPLATE: "a template",
    DataType.PROPERTY_SET: "a property set",
    DataType.PROPERTY_SET_LIST: "a list of property sets",
} | {kind: "an array" for kind in DataType if kind.name.endswith("_ARRAY")}
_BY_CHOICE = {
    "bytes_value": DataType.BYTES,
    "dataset_value": DataType.DATASET,
    "template_value": DataType.TEMPLATE,
    "float_value": DataType.FLOAT,
    "double_value": DataType.DOUBLE,
    "boolean_value": DataType.BOOLEAN,
    "string_value": DataType.STRING,
}


def declare(metrics: Iterable[Metric]) -> tuple[Declared, ...]:
    """What a birth says of its metrics; one without a name declares nothing."""
    return tuple(
        Declared(metric.name, metric.alias, metric.datatype or 0, metric.unit)
        for metric in metrics
        if metric.name is not None
    )


def read_metric(metric: Metric, declared: Declared, device: str | None, payload_ms: int | None) -> Iterator[Meaning]:
    """The reading that the metric is, or why it is none; nothing for null, transient and control metrics."""
    name = declared.name
    if is_control(name) or metric.is_null or metric.is_transient or metric.choice is None:
        return
    value = convert_value(metric.choice, metric.value, metric.datatype or declared.datatype)
    if isinstance(value, Problem):
        yield Problem(value.reason, f"values.{shorten(name)}", value.detail, device)
        return
    yield Reading(
        device=device,
        name=name,
        value=value,
        time_ms=payload_ms if metric.timestamp is None else metric.timestamp,
        unit=metric.unit or declared.unit,
        quality=find_quality(metric.quality),
        is_historical=metric.is_historical,
    )


def find_quality(code: int | None) -> str:
    """The quality that the code stands for; one that the specification does not know is not plainly good.

    A stale value was measured at some earlier time: nothing may be concluded from it, so that it counts as bad.
    """
    if code is None or code == Quality.GOOD:
        return "good"
    return "bad" if code in (Quality.BAD, Quality.STALE) else "uncertain"


def convert_value(choice: str, value: object, datatype: int) -> Value | Problem:
    """The value that stands in the field `choice`, as its data type says that it must be read."""
    known = datatype or _BY_CHOICE.get(choice, DataType.UNKNOWN)
    kind = _UNREADABLE.get(known)  # type: ignore[call-overload]
    if kind is None and choice in ("dataset_value", "template_value", "extension_value", "bytes_value"):
        kind = choice.replace("_", " ")
    if kind is not None:
        return Problem(RejectionReason.UNSUPPORTED, None, f"is {kind}, which is no reading")
    if known == DataType.BOOLEAN and isinstance(value, bool):
        return value
    if known in TEXT_TYPES and isinstance(value, str):
        return value
    if known in (DataType.FLOAT, DataType.DOUBLE) and isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        number = _convert_integer(value, choice, known)
        if number is not None:
            return number
    name = next((kind.name for kind in DataType if kind == known), str(known))
    what = "has no data type" if known == DataType.UNKNOWN else f"is no {name}"
    return Problem(RejectionReason.NOT_SPARKPLUG, None, f"{shorten(repr(value))} in {choice} {what}")


def _convert_integer(value: int, choice: str, datatype: int) -> int | None:
    """The integer of that type, or None when these bits are none.

    A negative one comes as two's complement of its own width, or sign-extended to that of the field.
    """
    if datatype == DataType.DATETIME:
        return value
    if bits := UNSIGNED_BITS.get(datatype):
        return value if value < 1 << bits else None
    if bits := SIGNED_BITS.get(datatype):
        if value < 1 << bits:
            return value - (1 << bits) if value >> (bits - 1) else value
        field_bits = 32 if choice == "int_value" else 64
        extended = value - (1 << field_bits)
        return extended if extended >= -(1 << (bits - 1)) else None
    return None
