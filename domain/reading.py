"""What a reading is, why one may be refused, and which marks it carries."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum


class ReadingFlag(IntFlag):
    """Marks stored with a reading (`reading.flags`, int2)."""

    NONE = 0
    CLOCK_OF_RECEIPT = 1  # the device sent no time: observed_at is received_at
    UNCERTAIN = 2
    BAD = 4  # stored and shown, never scored
    LATE = 8  # older than what the series already had when it arrived


class RejectionReason(StrEnum):
    """Why something that arrived could not be used. Wire contract: values never change, new ones may come."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    EMPTY = "empty"
    WRONG_SHAPE = "wrong_shape"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_SERIAL = "unknown_serial"
    UNKNOWN_SENSOR = "unknown_sensor"
    NOT_A_NUMBER = "not_a_number"
    UNIT_MISMATCH = "unit_mismatch"
    OUT_OF_PHYSICAL_RANGE = "out_of_physical_range"
    BAD_TIMESTAMP = "bad_timestamp"
    FROM_THE_FUTURE = "from_the_future"
    TOO_OLD = "too_old"
    TOO_LARGE = "too_large"
    TOO_MANY_VALUES = "too_many_values"
    TOO_FAST = "too_fast"  # beyond the device's own rate; one rejection stands for a run of messages
    NOT_ITS_GATEWAY = "not_its_gateway"  # a gateway spoke for a serial that is not assigned to it
    BAD_COMPRESSION = "bad_compression"
    NOT_CBOR = "not_cbor"
    NOT_SENML = "not_senml"
    NOT_SPARKPLUG = "not_sparkplug"
    NO_BIRTH = "no_birth"  # Sparkplug data whose birth certificate nobody here has seen
    UNSUPPORTED = "unsupported"  # well-formed, of a kind that is no reading: datasets, templates, binary
    CONFLICT = "conflict"  # same series and time as a stored reading, other value; the first stays


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused message or part of one, kept with its payload so that it can be shown and replayed.

    `weight` is how many values are lost by it; the weights of one message's rejections are what the ledger counts as
    rejected. `size` is that of the message as it came, of which `payload` may be only the beginning.
    """

    received_at: datetime
    topic: str
    serial: str | None
    reason: RejectionReason
    field: str | None  # path inside the payload, e.g. "values.flow" or "[3].ts"
    detail: str  # a sentence for people, no secrets
    payload: bytes
    weight: int = 1
    size: int | None = None  # None: that of the payload
    content_type: str = ""  # as an MQTT 5 publisher said
