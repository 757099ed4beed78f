"""What fuzzing begins with, made from the files in tests/cases and from a few conversations; and words to try."""

import json
from collections.abc import Iterator

from domain.sparkplug import BIRTH_DEATH, REBIRTH, DataType
from ingest.device_table import WireFormat
from simulators.sparkplug_payload import Metric, encode_payload
from tests.fuzz.surfaces import CASES, NOW_US, SPARKPLUG_TOPICS, TOPICS, load_table

WORDS = (
    *("ts", "values", "seq", "quality", "units", "flow", "pressure", "SN-1", "SN-2", "GW-1", "NaN", "Infinity", "null"),
    *("bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut", "device", "data", "state"),
    *("component", "version", "UPDATED", "code", "severity", "MAJOR", "online", "offline", "attributes", "\\\\ud800"),
)


def make_seeds(surface: str) -> Iterator[bytes]:
    """Inputs of that surface, each of another kind."""
    if surface == "packets":
        yield from _make_packets()
    elif surface == "topics":
        yield from (topic.encode() for topics in TOPICS.values() for topic in topics)
    elif surface == "compression":
        yield from (bytes([kind]) + payload for _, payload in _load_cases() for kind in range(4))
    elif surface == "sparkplug":
        yield from _make_conversations()
    for topic, payload in _load_cases():
        topics = TOPICS.get(surface, ())
        # Devices of other cases are read as well: what counts is the kind of topic.
        kind = load_table().find_route(topic.encode()).format
        chosen = next((i for i, name in enumerate(topics) if name == topic), None)
        if chosen is None:
            chosen = next((i for i, name in enumerate(topics) if _find_format(name) is kind), None)
        if chosen is not None and surface == "sparkplug":
            yield bytes([chosen]) + len(payload).to_bytes(2, "big") + payload
        elif chosen is not None:
            yield bytes([chosen]) + payload


def make_dictionary() -> str:
    """For libFuzzer's option `dict`."""
    return "".join(f'"{word}"\n' for word in WORDS)


def _find_format(topic: str) -> WireFormat:
    return load_table().find_route(topic.encode()).format


def _load_cases() -> Iterator[tuple[str, bytes]]:
    for path in sorted(CASES.glob("*/payload")):
        payload = path.read_bytes()
        if len(payload) <= 4_000:
            yield json.loads(path.with_name("case.json").read_text("utf-8"))["topic"], payload


def _make_packets() -> Iterator[bytes]:
    topic, payload = b"forewarn/v1/SN-1/telemetry", b'{"values": {"flow": 1}}'
    for properties in (b"", b"\0", b"\x07\x03\0\x04gzip", b"\x02\x0b\x05", b"\x0a\x26\0\x01a\0\x01b\x01\x01"):
        body = len(topic).to_bytes(2, "big") + topic + b"\0\x07" + properties + payload
        yield (b"\x32" + bytes([len(body)]) + body) * 2 + b"\xd0\0\x30"


def _make_conversations() -> Iterator[bytes]:
    ms = NOW_US // 1000
    number = Metric(DataType.INT64, 0, name=BIRTH_DEATH)
    flow = Metric(DataType.DOUBLE, 12.5, name="flow", alias=1, time_ms=ms, unit="mL/h", quality=192)
    later = Metric(DataType.DOUBLE, 13.5, alias=1, time_ms=ms + 1)
    births = [
        ("NBIRTH/GW-1", encode_payload(ms, 0, [number, Metric(DataType.BOOLEAN, False, name=REBIRTH)])),
        ("DBIRTH/GW-1/SN-1", encode_payload(ms, 1, [flow])),
    ]
    data = [("DDATA/GW-1/SN-1", encode_payload(ms + 1, seq, [later])) for seq in (2, 5)]
    deaths = [
        ("DDEATH/GW-1/SN-1", encode_payload(ms + 3, 3, [])),
        ("NDEATH/GW-1", encode_payload(None, None, [number])),
    ]
    for talk in (births, births + data, births + data + deaths + births, data, deaths + births):
        yield b"".join(
            bytes([SPARKPLUG_TOPICS.index(f"spBv1.0/plant/{topic}")]) + len(payload).to_bytes(2, "big") + payload
            for topic, payload in talk
        )
