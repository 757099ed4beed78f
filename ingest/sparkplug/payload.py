"""Sparkplug B payloads to plain values: pure and total, any bytes give a payload or what is wrong with them."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from domain.counting import say_count
from domain.reading import RejectionReason
from domain.sparkplug import ALGORITHM, COMPRESSED, MESSAGES, QUALITY_PROPERTY, REBIRTH, UNIT_PROPERTY, DataType, Field
from ingest.decode import Problem, shorten

_SCALARS = {
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    # As bytes: what a runtime does with a text that is no UTF-8 differs from one to the next.
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
}
_PACKAGE = "forewarn.sparkplug"
_UNIT, _QUALITY = UNIT_PROPERTY.encode(), QUALITY_PROPERTY.encode()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it came. `choice` names the field that its value stood in."""

    name: str | None
    alias: int | None
    timestamp: int | None  # milliseconds since 1970
    datatype: int | None
    is_historical: bool
    is_transient: bool
    is_null: bool
    choice: str | None
    value: int | float | bool | str | bytes | None
    unit: str | None  # property engUnit
    quality: int | None  # property Quality


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload, unpacked."""

    timestamp: int | None
    seq: int | None
    metrics: tuple[Metric, ...]


def _build_class() -> Any:
    """The class of the payload message, from the table of the fields alone."""
    file = descriptor_pb2.FileDescriptorProto(name="forewarn/sparkplug", package=_PACKAGE, syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        if any(field.is_choice for field in fields):
            message.oneof_decl.add(name="value")
        for field in fields:
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


def _add_field(message: descriptor_pb2.DescriptorProto, field: Field) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    added = message.field.add(name=field.name, number=field.number)
    added.label = kinds.LABEL_REPEATED if field.is_repeated else kinds.LABEL_OPTIONAL
    if field.kind in _SCALARS:
        added.type = _SCALARS[field.kind]
    else:
        added.type = kinds.TYPE_MESSAGE
        added.type_name = f".{_PACKAGE}.{field.kind}"
    if field.is_choice:
        added.oneof_index = 0


_Payload = _build_class()


def decode_payload(payload: bytes, max_bytes: int, max_metrics: int) -> Payload | Problem:
    """What these bytes hold, unpacked where they are packed, or why they hold nothing that can be used."""
    message = _parse(payload)
    if isinstance(message, Problem):
        return message
    try:
        if message.uuid == COMPRESSED.encode():
            return _decode_packed(message, max_bytes, max_metrics)
        return _to_payload(message, max_metrics)
    except UnicodeDecodeError:
        return Problem(RejectionReason.NOT_SPARKPLUG, None, "a name or a text in it is not UTF-8")


def _parse(payload: bytes) -> Any | Problem:
    if not payload:
        return Problem(RejectionReason.EMPTY, None, "the message is empty")
    message = _Payload()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        return Problem(RejectionReason.NOT_SPARKPLUG, None, "it cannot be read as a Sparkplug B payload")
    return message


def _decode_packed(message: Any, max_bytes: int, max_metrics: int) -> Payload | Problem:
    named = (m.string_value.decode() for m in message.metrics if m.name == ALGORITHM.encode())
    algorithm = next(named, "DEFLATE")
    unpacked = unpack_body(message.body, algorithm, max_bytes)
    if isinstance(unpacked, Problem):
        return unpacked
    inner = _parse(unpacked)
    if isinstance(inner, Problem):
        return inner
    if inner.uuid == COMPRESSED.encode():
        return Problem(RejectionReason.BAD_COMPRESSION, "body", "a packed payload holds another packed payload")
    for name in ("seq", "timestamp"):  # senders put them inside, outside, or in both
        if not inner.HasField(name) and message.HasField(name):
            setattr(inner, name, getattr(message, name))
    return _to_payload(inner, max_metrics)


def unpack_body(body: bytes, algorithm: str, max_bytes: int) -> bytes | Problem:
    """The body of a packed payload; never more than `max_bytes` of memory is filled by it."""
    if algorithm.upper() not in ("DEFLATE", "GZIP"):
        detail = f"packed by {shorten(algorithm)!r}; only DEFLATE and GZIP can be unpacked"
        return Problem(RejectionReason.BAD_COMPRESSION, "body", detail)
    # 47: zlib's or gzip's header, whichever is there. -15: none, as some write DEFLATE.
    for window in (47, -15) if algorithm.upper() == "DEFLATE" else (47,):
        unpacker = zlib.decompressobj(window)
        try:
            unpacked = unpacker.decompress(body, max_bytes + 1)
        except zlib.error:
            continue
        if len(unpacked) > max_bytes:
            return Problem(
                RejectionReason.TOO_LARGE, "body", f"unpacked, it has more than {say_count(max_bytes, 'byte')}"
            )
        if unpacker.eof:
            return unpacked
    return Problem(RejectionReason.BAD_COMPRESSION, "body", f"it cannot be unpacked as {algorithm.upper()}")


def _to_payload(message: Any, max_metrics: int) -> Payload | Problem:
    count = len(message.metrics)
    if count > max_metrics:
        detail = f"{say_count(count, 'metric')}; a message has at most {max_metrics:,}"
        return Problem(RejectionReason.TOO_MANY_VALUES, None, detail, weight=count)
    return Payload(
        timestamp=message.timestamp if message.HasField("timestamp") else None,
        seq=message.seq if message.HasField("seq") else None,
        metrics=tuple(_to_metrics(message)),
    )


def _to_metrics(message: Any) -> Iterator[Metric]:
    for metric in message.metrics:
        choice = metric.WhichOneof("value")
        unit, quality = _find_properties(metric.properties) if metric.HasField("properties") else (None, None)
        yield Metric(
            name=metric.name.decode() if metric.HasField("name") else None,
            alias=metric.alias if metric.HasField("alias") else None,
            timestamp=metric.timestamp if metric.HasField("timestamp") else None,
            datatype=metric.datatype if metric.HasField("datatype") else None,
            is_historical=metric.is_historical,
            is_transient=metric.is_transient,
            is_null=metric.is_null,
            choice=choice,
            value=_find_value(metric, choice),
            unit=unit,
            quality=quality,
        )


def _find_value(metric: Any, choice: str | None) -> int | float | bool | str | bytes | None:
    if choice is None:
        return None
    if choice == "string_value":
        text: str = metric.string_value.decode()
        return text
    value: int | float | bool | bytes = getattr(metric, choice)
    return value


def _find_properties(properties: Any) -> tuple[str | None, int | None]:
    """Unit and quality; what is of another type than they must be counts as not said."""
    unit: str | None = None
    quality: int | None = None
    for key, value in zip(properties.keys, properties.values, strict=False):
        if value.is_null:
            continue
        choice = value.WhichOneof("value")
        if key == _UNIT and choice == "string_value" and value.string_value:
            unit = value.string_value.decode()
        elif key == _QUALITY and choice in ("int_value", "long_value"):
            quality = getattr(value, choice)
    return unit, quality


def encode_rebirth(now_ms: int) -> bytes:
    """The command that asks an edge node for all of its births."""
    message = _Payload(timestamp=now_ms)
    message.metrics.add(name=REBIRTH.encode(), timestamp=now_ms, datatype=DataType.BOOLEAN, boolean_value=True)
    encoded: bytes = message.SerializeToString()
    return encoded
