"""Sparkplug B payloads as an edge node writes them, and the one command that it has to understand."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from domain.sparkplug import MESSAGES, QUALITY_PROPERTY, REBIRTH, SIGNED_BITS, UNIT_PROPERTY, DataType

_PACKAGE = "forewarn.simulated_sparkplug"
_CHOICES = {
    DataType.FLOAT: "float_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
    DataType.TEXT: "string_value",
    DataType.INT64: "long_value",
    DataType.UINT64: "long_value",
    DataType.DATETIME: "long_value",
    DataType.BYTES: "bytes_value",
    DataType.DATASET: "dataset_value",
    DataType.TEMPLATE: "template_value",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric to be written. In data messages of a node that uses aliases, `name` is None; `datatype` says how the
    value is written, and is itself written in births alone."""

    datatype: DataType
    value: float | str | bytes | None  # None: null
    name: str | None = None
    alias: int | None = None
    time_ms: int | None = None
    is_historical: bool = False
    unit: str | None = None
    quality: int | None = None


def _build_class() -> Any:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="forewarn/simulated_sparkplug", package=_PACKAGE, syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        if any(field.is_choice for field in fields):
            message.oneof_decl.add(name="value")
        for field in fields:
            added = message.field.add(name=field.name, number=field.number)
            added.label = kinds.LABEL_REPEATED if field.is_repeated else kinds.LABEL_OPTIONAL
            if field.kind in MESSAGES:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{field.kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{field.kind.upper()}")
            if field.is_choice:
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


_Payload = _build_class()


def encode_payload(time_ms: int | None, seq: int | None, metrics: Iterable[Metric]) -> bytes:
    """The payload's bytes; `seq` is None in deaths alone."""
    payload = _Payload()
    if time_ms is not None:
        payload.timestamp = time_ms
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        _add_metric(payload, metric)
    encoded: bytes = payload.SerializeToString()
    return encoded


def _add_metric(payload: Any, metric: Metric) -> None:
    added = payload.metrics.add()
    if metric.name is not None:
        added.name = metric.name
        added.datatype = metric.datatype
    if metric.alias is not None:
        added.alias = metric.alias
    if metric.time_ms is not None:
        added.timestamp = metric.time_ms
    if metric.is_historical:
        added.is_historical = True
    if metric.unit is not None:
        added.properties.keys.append(UNIT_PROPERTY)
        added.properties.values.add(type=DataType.STRING, string_value=metric.unit)
    if metric.quality is not None:
        added.properties.keys.append(QUALITY_PROPERTY)
        added.properties.values.add(type=DataType.INT32, int_value=metric.quality)
    value: Any = metric.value
    if value is None:
        added.is_null = True
        return
    if metric.datatype in SIGNED_BITS and value < 0:
        value += 1 << (64 if metric.datatype is DataType.INT64 else 32)  # two's complement of the field's width
    setattr(added, _CHOICES.get(metric.datatype, "int_value"), value)


def asks_for_rebirth(payload: bytes) -> bool:
    """The command is one for all births; what cannot be read is none."""
    message = _Payload()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        return False
    return any(metric.name == REBIRTH and metric.boolean_value for metric in message.metrics)
