"""What is fuzzed, and what must hold of it whatever the bytes are.

A surface takes any bytes and raises `AssertionError` (or whatever the code under test raises) when a promise is broken:

- nothing raises, and the work for one input is bounded;
- what comes out is bounded, and good: in its sensor's range, within the window of time;
- every text can be stored in PostgreSQL;
- what a message loses is counted: its rejections and its refusals have the same weight, and where a count of the values
  is possible from outside, it is the number of readings and that weight;
- the quick way and the careful way agree.
"""

import gzip
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

from domain.reading import Rejection
from ingest.careful import MAX_REJECTIONS, read_carefully
from ingest.columns import Columns, Limits, decode_messages
from ingest.decode import MAX_MESSAGE_TEXT, MAX_TEXT, Problem
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.formats.compression import unpack
from ingest.message import Message
from ingest.mqtt_packets import KEPT_OF_OVERSIZED, find_content_type, read_publishes
from ingest.sparkplug.edges import EdgeReader, Edges
from ingest.sparkplug.rows import to_row, to_state
from ingest.validate import LAST_SEQ, NO_SEQ, TimeWindow, find_window

CASES = Path(__file__).parents[1] / "cases"
LIMITS = Limits(max_payload=1 << 16, max_values=500)
NOW_US = 1_795_305_600_000_000
WINDOW = find_window(NOW_US, retention_days=400, max_future_s=300)
# Of processor time. An input has some kilobytes, and takes less than a millisecond when nothing is wrong.
SECONDS_FOR_ONE = 2.0
# One processor of a machine with other work may be taken away from us in the middle of one input; twice it is not.
ATTEMPTS = 2

Surface = Callable[[bytes], None]


class DuplicateKeyError(Exception):
    """An object holds a key twice: how many values that are, is not counted from outside."""


@cache
def load_registry() -> dict[str, Any]:
    """The devices that the files in tests/cases speak of."""
    devices: dict[str, Any] = json.loads((CASES / "registry.json").read_text("utf-8"))["devices"]
    return devices


@cache
def load_table() -> DeviceTable:
    """The same devices, laid out for decoding."""
    return DeviceTable(
        (
            DeviceEntry(
                device["device_id"],
                serial,
                device["shard"],
                {
                    key: SensorEntry(s["series_id"], s["min"], s["max"], s["unit"], s.get("states", {}))
                    for key, s in device["sensors"].items()
                },
                device.get("gateway"),
            )
            for serial, device in load_registry().items()
        ),
        version=1,
        shard_count=2,
    )


def make_message(topic: bytes, payload: bytes, header: int = 0x32, content_type: str = "") -> Message:
    """A PUBLISH as the source hands it over: of what is too large, the beginning."""
    kept = payload if len(payload) <= LIMITS.max_payload else payload[:KEPT_OF_OVERSIZED]
    return Message(topic, kept, 1, header, len(payload), content_type)


# Each surface: the topics that its first byte chooses from, and the bytes after it.
JSON_TOPICS = (
    "forewarn/v1/SN-1/telemetry",
    "forewarn/v1/gateway/GW-1/telemetry",
    "forewarn/v1/SN-3/telemetry",
    "forewarn/v1/SN-1/firmware",
    "forewarn/v1/SN-1/event",
    "forewarn/v1/SN-1/status",
    "forewarn/v1/SN-1/attributes",
    "forewarn/v1/gateway/GW-1/firmware",
    "forewarn/v1/gateway/GW-2/event",
    "forewarn/v1/gateway/GW-1/status",
    "forewarn/v1/gateway/GW-1/attributes",
    "forewarn/v1/NOBODY/telemetry",
)
THINGSBOARD_TOPICS = tuple(f"v1/gateway/{name}" for name in ("telemetry", "attributes", "connect", "disconnect"))
SENML_JSON_TOPICS = (
    "forewarn/v1/10e2073a01080063/senml",
    "forewarn/v1/gateway/GW-2/senml",
    "forewarn/v1/SN-3/senml",
)
SENML_CBOR_TOPICS = tuple(f"{topic}-cbor" for topic in SENML_JSON_TOPICS)
SPARKPLUG_TOPICS = tuple(
    [f"spBv1.0/plant/{verb}/GW-1" for verb in ("NBIRTH", "NDATA", "NDEATH")]
    + [f"spBv1.0/plant/{verb}/GW-1/{serial}" for verb in ("DBIRTH", "DDATA", "DDEATH") for serial in ("SN-1", "SN-2")]
    + ["spBv1.0/plant/NBIRTH/SN-3", "spBv1.0/plant/DDATA/GW-1/NOBODY"]
)
CONTENT_TYPES = ("", "gzip", "application/zstd", "application/json; charset=\udcff\0")


def fuzz_json(data: bytes) -> None:
    """Forewarn's own JSON on every topic of its own."""
    _fuzz_text(data, JSON_TOPICS)


def fuzz_thingsboard(data: bytes) -> None:
    """ThingsBoard's gateway topics."""
    _fuzz_text(data, THINGSBOARD_TOPICS)


def fuzz_senml_json(data: bytes) -> None:
    """SenML packs in JSON."""
    _fuzz_text(data, SENML_JSON_TOPICS)


def fuzz_senml_cbor(data: bytes) -> None:
    """SenML packs in CBOR."""
    _fuzz_text(data, SENML_CBOR_TOPICS)


def _fuzz_text(data: bytes, topics: Sequence[str]) -> None:
    chosen, payload = data[:1] or b"\0", data[1:]
    message = make_message(topics[chosen[0] % len(topics)].encode(), payload)
    # Between two others: what one message is must not change what another says.
    good = make_message(b"forewarn/v1/SN-2/telemetry", b'{"ts": %d, "values": {"flow": 1}}' % (NOW_US // 1000))
    columns = check_messages([good, message, good])
    assert [int(n) for n in columns.message_no if n != 1] == [0, 2], "a neighbour lost its reading"


def fuzz_sparkplug(data: bytes) -> None:
    """A conversation with edge nodes: messages of a byte that chooses the topic, two of their length, and the payload.

    One state machine reads them one after the other, in two batches; what it knows survives being stored.
    """
    edges, messages = Edges(), _split(data)
    for batch in (messages[: len(messages) // 2], messages[len(messages) // 2 :]):
        reader = edges.begin(load_table(), LIMITS.max_payload, LIMITS.max_values)
        check_messages(batch, reader)
        changes = reader.find_changes()
        for state in changes.states.values():
            stored = to_row(state, None)
            assert to_row(to_state(stored), None) == stored
        edges.adopt(changes)


def _split(data: bytes) -> list[Message]:
    messages: list[Message] = []
    while len(data) >= 3 and len(messages) < 20:
        chosen, size = data[0], int.from_bytes(data[1:3], "big")
        topic = SPARKPLUG_TOPICS[chosen % len(SPARKPLUG_TOPICS)]
        messages.append(make_message(topic.encode(), data[3 : 3 + size], header=0x33 if chosen & 0x80 else 0x32))
        data = data[3 + size :]
    return messages


def fuzz_compression(data: bytes) -> None:
    """Compressed payloads: as they come, and what was compressed and then damaged."""
    kind, payload = data[:1] or b"\0", data[1:]
    limit = 4_096
    content_type = CONTENT_TYPES[kind[0] >> 2 & 3]
    match kind[0] & 3:
        case 1:
            packed = gzip.compress(payload, 1, mtime=0)
            unpacked = unpack(packed, content_type, limit)
            assert unpacked == payload if len(payload) <= limit else isinstance(unpacked, Problem)
            payload = _damage(packed, kind[0])
        case 2:
            packed = zstandard.ZstdCompressor(level=1).compress(payload)
            unpacked = unpack(packed, content_type, limit)
            assert unpacked == payload if len(payload) <= limit else isinstance(unpacked, Problem)
            payload = _damage(packed, kind[0])
        case 3:
            payload = zlib.compress(payload)
    unpacked = unpack(payload, content_type, limit)
    assert isinstance(unpacked, Problem) or len(unpacked) <= max(limit, len(payload))
    check_messages([make_message(b"forewarn/v1/SN-1/telemetry", payload, content_type=content_type)])


def _damage(packed: bytes, kind: int) -> bytes:
    at = (kind * 37) % len(packed)
    return packed[:at] + bytes([packed[at] ^ (1 << kind % 8)]) + packed[at + 1 :]


def fuzz_topics(data: bytes) -> None:
    """Any bytes as a topic, with a payload that is good on those of telemetry."""
    table = load_table()
    route = table.find_route(data)
    assert table.find_route(data) == route
    table.routes.clear()
    check_messages([make_message(data, b'{"ts": %d, "values": {"flow": 1}}' % (NOW_US // 1000), header=0x31)])


def fuzz_packets(data: bytes) -> None:
    """The bytes of a broker's connection, as the quick reader of packets takes them, in MQTT 5 and 3.1.1."""
    for is_mqtt5 in (False, True):
        messages, at = read_publishes(data, 0, 64, 100, is_mqtt5=is_mqtt5, leave=None)
        assert 0 <= at <= len(data)
        assert len(messages) <= 64
        # Read in two halves, nothing else is read.
        first, middle = read_publishes(data[: len(data) // 2], 0, 64, 100, is_mqtt5=is_mqtt5, leave=None)
        assert first == messages[: len(first)]
        assert middle <= at
        check_messages(messages)
    find_content_type(data)


SURFACES: dict[str, Surface] = {
    "json": fuzz_json,
    "thingsboard": fuzz_thingsboard,
    "senml-json": fuzz_senml_json,
    "senml-cbor": fuzz_senml_cbor,
    "sparkplug": fuzz_sparkplug,
    "compression": fuzz_compression,
    "topics": fuzz_topics,
    "packets": fuzz_packets,
}
TOPICS: dict[str, Sequence[str]] = {
    "json": JSON_TOPICS,
    "thingsboard": THINGSBOARD_TOPICS,
    "senml-json": SENML_JSON_TOPICS,
    "senml-cbor": SENML_CBOR_TOPICS,
    "sparkplug": SPARKPLUG_TOPICS,
}


def run_bounded(surface: Surface, data: bytes) -> None:
    """The surface, and that it does not take long."""
    for attempt in range(ATTEMPTS):
        begin = time.process_time()
        surface(data)
        took = time.process_time() - begin
        if took < SECONDS_FOR_ONE:
            return
        assert attempt + 1 < ATTEMPTS, f"{len(data)} bytes took {took:.1f} s"


def check_messages(messages: Sequence[Message], sparkplug: EdgeReader | None = None) -> Columns:
    """All that must hold of what is read out of any messages."""
    table = load_table()
    columns = decode_messages(messages, table, WINDOW, LIMITS, sparkplug)
    _check_readings(columns, table)
    _check_rejections(columns, messages)
    _check_ledger(columns, messages, table)
    if sparkplug is None:
        _check_both_ways(columns, messages, table)
    return columns


def _check_readings(columns: Columns, table: DeviceTable) -> None:
    count = len(columns.series_id)
    for column in (columns.observed_us, columns.value, columns.flags, columns.seq, columns.message_no):
        assert len(column) == count
    assert (columns.value >= table.minimum[columns.series_id]).all()
    assert (columns.value <= table.maximum[columns.series_id]).all()
    assert (columns.observed_us >= WINDOW.oldest_us).all()
    assert (columns.observed_us <= WINDOW.latest_us).all()
    assert ((columns.seq == NO_SEQ) | ((columns.seq >= 0) & (columns.seq <= LAST_SEQ))).all()
    assert (columns.message_no[1:] >= columns.message_no[:-1]).all()
    assert all(n <= LIMITS.max_values for n in Counter(columns.message_no.tolist()).values())


def _check_rejections(columns: Columns, messages: Sequence[Message]) -> None:
    for number, rejection in columns.rejections:
        for text, most in _name_texts(rejection):
            assert len(text) <= most
            assert "\0" not in text
            text.encode()  # a lone surrogate would raise
        assert messages[number].payload.startswith(rejection.payload)
        assert rejection.weight >= 0
    assert all(n <= MAX_REJECTIONS + 1 for n in Counter(number for number, _ in columns.rejections).values())
    for received in columns.reports:
        for value in _find_texts(received.report):
            assert "\0" not in value
            value.encode()


def _name_texts(rejection: Rejection) -> list[tuple[str, int]]:
    return [
        (rejection.topic, 1_000),
        (rejection.serial or "", 64),
        (rejection.field or "", MAX_TEXT),
        (rejection.detail, MAX_MESSAGE_TEXT),
        (rejection.content_type, MAX_TEXT),
        (rejection.reason.value, MAX_TEXT),
    ]


def _find_texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [str(value)]
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in _find_texts(item)]
    fields = getattr(value, "__dataclass_fields__", {})
    return [text for name in fields for text in _find_texts(getattr(value, name))]


def _check_ledger(columns: Columns, messages: Sequence[Message], table: DeviceTable) -> None:
    """By message: readings that are stored, and values that are lost."""
    stored = Counter(columns.message_no.tolist())
    rejected: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    for number, rejection in columns.rejections:
        rejected[number] += rejection.weight
    for refusal in columns.refusals:
        refused[refusal.message_no] += refusal.weight
        assert 0 <= refusal.device <= table.no_device
    assert rejected == refused
    for number, message in enumerate(messages):
        sent = count_sent(message)
        if sent is not None:
            assert stored[number] + refused[number] == sent, f"{sent} values, {stored[number]} + {refused[number]}"


def count_sent(message: Message) -> int | None:
    """How many values a message in Forewarn's own JSON holds, by a count of its own; None where that is not plain."""
    if not message.topic.startswith(b"forewarn/v1/SN-") or not message.topic.endswith(b"/telemetry"):
        return None
    if message.size > LIMITS.max_payload or message.topic.count(b"/") != 3:
        return None
    try:
        document = json.loads(message.payload.decode(), object_pairs_hook=_to_object)
    except (ValueError, RecursionError, DuplicateKeyError):
        return None
    parts = document if isinstance(document, list) else [document]
    if not all(isinstance(part, dict) and isinstance(part.get("values"), dict) and part["values"] for part in parts):
        return None
    return sum(len(part["values"]) for part in parts) if parts else None


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKeyError
    return found


def _check_both_ways(columns: Columns, messages: Sequence[Message], table: DeviceTable) -> None:
    """The careful way alone reads the same."""
    series: list[int] = []
    times: list[int] = []
    values: list[float] = []
    flags: list[int] = []
    seqs: list[int] = []
    rejections: list[Rejection] = []
    for number, message in enumerate(messages):
        window = TimeWindow(WINDOW.received_us + number, WINDOW.oldest_us, WINDOW.latest_us)
        found = read_carefully(message, table, window, LIMITS.max_payload, LIMITS.max_values)
        series += found.judged.series_id
        times += found.judged.observed_us
        values += found.judged.value
        flags += found.judged.flags
        seqs += found.judged.seq
        rejections += found.rejections
    assert columns.series_id.tolist() == series
    assert columns.observed_us.tolist() == times
    assert columns.value.tolist() == values
    assert columns.flags.tolist() == flags
    assert columns.seq.tolist() == seqs
    assert [rejection for _, rejection in columns.rejections] == rejections
