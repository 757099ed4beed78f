"""Every wire decoder keeps the one contract: total, pure, in the order of the message, and nothing lost unsaid."""

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import RejectionReason
from ingest.careful import read_carefully
from ingest.decode import Problem, TelemetryPart
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry, WireFormat
from ingest.formats.contract import Decoder, Part, ReportPart
from ingest.formats.own_json import decode_own_json
from ingest.formats.senml import decode_senml_cbor, decode_senml_json
from ingest.formats.thingsboard import (
    decode_connect,
    decode_disconnect,
    decode_gateway_attributes,
    decode_gateway_telemetry,
)
from ingest.message import Message
from ingest.sparkplug.edges import decode_alone
from ingest.validate import find_window

NOW_US = 1_795_305_600_000_000
WINDOW = find_window(NOW_US, retention_days=400, max_future_s=300)
MAX_PAYLOAD, MAX_VALUES = 1 << 20, 10_000
CASES = Path(__file__).parents[1] / "cases"


def _make_table() -> DeviceTable:
    sensors = {
        key: SensorEntry(i, -100.0, 100.0, unit, {"idle": 0.0})
        for i, (key, unit) in enumerate([("flow", "mL/h"), ("temperature", "Cel"), ("power", "W")], start=1)
    }
    devices = [DeviceEntry(i + 1, f"SN-{i + 1}", 0, sensors, "GW-1") for i in range(3)]
    return DeviceTable(devices, version=1, shard_count=1)


TABLE = _make_table()
DECODERS: dict[WireFormat, tuple[Decoder, str]] = {
    WireFormat.JSON: (decode_own_json, "forewarn/v1/SN-1/telemetry"),
    WireFormat.SENML_JSON: (decode_senml_json, "forewarn/v1/gateway/GW-1/senml"),
    WireFormat.SENML_CBOR: (decode_senml_cbor, "forewarn/v1/SN-1/senml-cbor"),
    WireFormat.SPARKPLUG: (decode_alone(TABLE, MAX_PAYLOAD, MAX_VALUES), "spBv1.0/group/DBIRTH/GW-1/SN-1"),
    WireFormat.THINGSBOARD_TELEMETRY: (decode_gateway_telemetry, "v1/gateway/telemetry"),
    WireFormat.THINGSBOARD_ATTRIBUTES: (decode_gateway_attributes, "v1/gateway/attributes"),
    WireFormat.THINGSBOARD_CONNECT: (decode_connect, "v1/gateway/connect"),
    WireFormat.THINGSBOARD_DISCONNECT: (decode_disconnect, "v1/gateway/disconnect"),
}
every_decoder = pytest.mark.parametrize("wire_format", DECODERS, ids=lambda found: found.value)
SEEDS = sorted({path.read_bytes()[:2_000] for path in CASES.glob("*/payload")})


def _damage(payload: bytes, at: int, patch: bytes) -> bytes:
    at %= len(payload) + 1
    return payload[:at] + patch + payload[at + len(patch) :]


# What a stranger sends, and what goes wrong on the way of what a friend sends.
payloads = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(SEEDS),
    st.builds(_damage, st.sampled_from(SEEDS), st.integers(0, 2_000), st.binary(min_size=1, max_size=3)),
    st.builds(lambda payload, at: payload[: at % (len(payload) + 1)], st.sampled_from(SEEDS), st.integers(0, 2_000)),
)


def _decode(wire_format: WireFormat, payload: bytes) -> list[Part]:
    decode, topic = DECODERS[wire_format]
    return list(decode(payload, TABLE.find_route(topic.encode()), NOW_US))


def test_there_is_no_format_without_a_decoder() -> None:
    assert set(DECODERS) == set(WireFormat)
    for wire_format, (_, topic) in DECODERS.items():
        assert TABLE.find_route(topic.encode()).format is wire_format


@every_decoder
@given(payload=payloads)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_parts_and_the_same_bytes_the_same_parts(wire_format: WireFormat, payload: bytes) -> None:
    parts = _decode(wire_format, payload)
    # Every message leaves a trace; a Sparkplug birth of nothing leaves it in what is known of its edge.
    assert parts or wire_format is WireFormat.SPARKPLUG
    assert [_shape(part) for part in parts] == [_shape(part) for part in _decode(wire_format, payload)]
    for part in parts:
        assert isinstance(part, TelemetryPart | ReportPart | Problem)
        if isinstance(part, Problem):
            assert part.weight >= 0
            assert part.reason in RejectionReason
            assert part.detail
        else:
            assert isinstance(part.serial, str)
            assert isinstance(part.path, str)


def _shape(part: Part) -> str:
    # Texts, so that NaN equals itself; without what only names fields.
    return repr(part._replace(name_field=None) if isinstance(part, TelemetryPart) else part)


@every_decoder
@given(payload=payloads)
@settings(max_examples=60, deadline=None)
def test_what_is_judged_is_good_or_refused_with_a_reason(wire_format: WireFormat, payload: bytes) -> None:
    message = Message(DECODERS[wire_format][1].encode(), payload, 1, 0x32, len(payload))
    found = read_carefully(message, TABLE, WINDOW, MAX_PAYLOAD, MAX_VALUES)
    assert found.judged.series_id or found.reports or found.rejections or wire_format is WireFormat.SPARKPLUG
    assert all(-100.0 <= value <= 100.0 for value in found.judged.value)
    assert all(WINDOW.oldest_us <= observed_us <= WINDOW.latest_us for observed_us in found.judged.observed_us)
    for rejection in found.rejections:
        rejection.detail.encode()
        assert "\0" not in rejection.detail + (rejection.field or "") + (rejection.serial or "")


def _find_path(part: Part) -> str | None:
    if isinstance(part, Problem):
        return part.field
    return part.name_field("") if part.name_field else part.path


def _list_senml(count: int) -> bytes:
    records = ",".join(
        f'{{"n":"SN-{i % 4}:flow","t":{-i % 7},"{"v" if i % 5 else "vd"}":{i % 90}}}' for i in range(count)
    )
    return f"[{records}]".encode()


def _list_own(count: int) -> bytes:
    return b"[" + b",".join(b'{"values":{"flow":%d}}' % (i % 90) if i % 5 else b"7" for i in range(count)) + b"]"


@pytest.mark.parametrize(
    ("wire_format", "make"), [(WireFormat.SENML_JSON, _list_senml), (WireFormat.JSON, _list_own)], ids=["senml", "json"]
)
def test_parts_come_in_the_order_of_the_message(wire_format: WireFormat, make: Callable[[int], bytes]) -> None:
    paths = [_find_path(part) for part in _decode(wire_format, make(50))]
    places = [int(re.findall(r"\[(\d+)\]", path or "")[0]) for path in paths]
    assert places == sorted(places)
    assert places[-1] >= 48


@pytest.mark.parametrize(
    ("wire_format", "make"), [(WireFormat.SENML_JSON, _list_senml), (WireFormat.JSON, _list_own)], ids=["senml", "json"]
)
def test_every_value_is_stored_or_weighs_as_refused(wire_format: WireFormat, make: Callable[[int], bytes]) -> None:
    message = Message(DECODERS[wire_format][1].encode(), payload := make(200), 1, 0x32, len(payload))
    found = read_carefully(message, TABLE, WINDOW, MAX_PAYLOAD, MAX_VALUES)
    assert len(found.judged.series_id) + found.rejected == 200
    assert sum(rejection.weight for rejection in found.rejections) == found.rejected
    too_many = read_carefully(message, TABLE, WINDOW, MAX_PAYLOAD, 199)
    assert ([r.reason for r in too_many.rejections], too_many.rejected) == ([RejectionReason.TOO_MANY_VALUES], 200)
    assert not too_many.judged.series_id


@every_decoder
def test_a_compressed_message_says_what_the_plain_one_says(wire_format: WireFormat) -> None:
    for payload in SEEDS[:20]:
        plain = Message(DECODERS[wire_format][1].encode(), payload, 1, 0x32, len(payload))
        if payload.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
            continue
        expected = read_carefully(plain, TABLE, WINDOW, MAX_PAYLOAD, MAX_VALUES)
        for packed in (gzip.compress(payload, mtime=0), zstandard.ZstdCompressor().compress(payload)):
            found = read_carefully(
                plain._replace(payload=packed, size=len(packed)), TABLE, WINDOW, MAX_PAYLOAD, MAX_VALUES
            )
            assert repr(found.judged) == repr(expected.judged)
            assert found.reports == expected.reports
            assert [replace(r, payload=b"", size=0) for r in found.rejections] == [
                replace(r, payload=b"", size=0) for r in expected.rejections
            ]
