"""The Sparkplug B payload as plain data: field numbers, data types, and the names that the protocol itself uses.

Source: Eclipse Sparkplug Specification 3.0.0, chapters 4 (topics) and 6 (payloads).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

NAMESPACE = "spBv1.0"
SEQUENCE = 256  # `seq` and `bdSeq` count from 0 to 255 and begin again
BIRTH_DEATH = "bdSeq"  # the metric by which a death is matched with its birth
REBIRTH = "Node Control/Rebirth"
CONTROL_PREFIXES = ("Node Control/", "Device Control/")
UNIT_PROPERTY = "engUnit"
QUALITY_PROPERTY = "Quality"
COMPRESSED = "SPBV1.0_COMPRESSED"  # in `uuid`: `body` holds another payload, packed as the metric `algorithm` says
ALGORITHM = "algorithm"


class MessageKind(StrEnum):
    """What an edge node publishes; the level of the topic behind the group."""

    NBIRTH = "NBIRTH"
    NDATA = "NDATA"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDATA = "DDATA"
    DDEATH = "DDEATH"


NODE_KINDS = frozenset({MessageKind.NBIRTH, MessageKind.NDATA, MessageKind.NDEATH})
DEVICE_KINDS = frozenset({MessageKind.DBIRTH, MessageKind.DDATA, MessageKind.DDEATH})


class DataType(IntEnum):
    """What a metric's value is."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


SIGNED_BITS: Mapping[int, int] = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
UNSIGNED_BITS: Mapping[int, int] = {DataType.UINT8: 8, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64}
TEXT_TYPES = frozenset({DataType.STRING, DataType.TEXT, DataType.UUID})


class Quality(IntEnum):
    """The codes of the property `Quality`; a value without it is good."""

    BAD = 0
    GOOD = 192
    STALE = 500


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a protobuf message. `kind` is a scalar type or the name of another message of `MESSAGES`."""

    name: str
    number: int
    kind: str
    is_repeated: bool = False
    is_choice: bool = False  # one of those fields of the message that exclude each other (a oneof named `value`)


# Data sets, templates and nested property sets are refused or not looked at: here they are the bytes that they are on
# the wire, so that no nesting, however deep, has to be followed.
MESSAGES: Mapping[str, tuple[Field, ...]] = {
    "PropertyValue": (
        Field("type", 1, "uint32"),
        Field("is_null", 2, "bool"),
        Field("int_value", 3, "uint32", is_choice=True),
        Field("long_value", 4, "uint64", is_choice=True),
        Field("float_value", 5, "float", is_choice=True),
        Field("double_value", 6, "double", is_choice=True),
        Field("boolean_value", 7, "bool", is_choice=True),
        Field("string_value", 8, "string", is_choice=True),
        Field("propertyset_value", 9, "bytes", is_choice=True),
        Field("propertysets_value", 10, "bytes", is_choice=True),
    ),
    "PropertySet": (
        Field("keys", 1, "string", is_repeated=True),
        Field("values", 2, "PropertyValue", is_repeated=True),
    ),
    "Metric": (
        Field("name", 1, "string"),
        Field("alias", 2, "uint64"),
        Field("timestamp", 3, "uint64"),
        Field("datatype", 4, "uint32"),
        Field("is_historical", 5, "bool"),
        Field("is_transient", 6, "bool"),
        Field("is_null", 7, "bool"),
        Field("metadata", 8, "bytes"),
        Field("properties", 9, "PropertySet"),
        Field("int_value", 10, "uint32", is_choice=True),
        Field("long_value", 11, "uint64", is_choice=True),
        Field("float_value", 12, "float", is_choice=True),
        Field("double_value", 13, "double", is_choice=True),
        Field("boolean_value", 14, "bool", is_choice=True),
        Field("string_value", 15, "string", is_choice=True),
        Field("bytes_value", 16, "bytes", is_choice=True),
        Field("dataset_value", 17, "bytes", is_choice=True),
        Field("template_value", 18, "bytes", is_choice=True),
        Field("extension_value", 19, "bytes", is_choice=True),
    ),
    "Payload": (
        Field("timestamp", 1, "uint64"),
        Field("metrics", 2, "Metric", is_repeated=True),
        Field("seq", 3, "uint64"),
        Field("uuid", 4, "string"),
        Field("body", 5, "bytes"),
    ),
}


def is_control(name: str) -> bool:
    """The metric belongs to the protocol: it is no reading."""
    return name == BIRTH_DEATH or name.startswith(CONTROL_PREFIXES)


def find_topic(group: str, kind: str, edge: str, device: str | None = None) -> str:
    """The topic of a message of an edge node, or of a command to it."""
    return "/".join((NAMESPACE, group, kind, edge) + (() if device is None else (device,)))
