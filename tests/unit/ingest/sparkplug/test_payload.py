"""Payloads to values: every data type, packed payloads up to their bound, and what is no reading."""

import gzip
import math
import zlib

import pytest

from domain.reading import RejectionReason
from domain.sparkplug import COMPRESSED, DataType
from ingest.decode import Problem
from ingest.sparkplug.meaning import convert_value, find_quality
from ingest.sparkplug.payload import Payload, decode_payload, encode_rebirth, unpack_body
from simulators.sparkplug_payload import Metric, asks_for_rebirth, encode_payload


@pytest.mark.parametrize(
    ("datatype", "choice", "value", "expected"),
    [
        (DataType.INT8, "int_value", 0xFF, -1),
        (DataType.INT8, "int_value", 0xFFFFFF80, -128),
        (DataType.INT8, "int_value", 127, 127),
        (DataType.INT16, "int_value", 0x8000, -32768),
        (DataType.INT16, "int_value", 0xFFFF8000, -32768),
        (DataType.INT32, "int_value", 0xFFFFFFFE, -2),
        (DataType.INT32, "long_value", 0xFFFFFFFFFFFFFFFE, -2),
        (DataType.INT64, "long_value", 0xFFFFFFFFFFFFFFFF, -1),
        (DataType.INT64, "long_value", 1 << 62, 1 << 62),
        (DataType.UINT8, "int_value", 255, 255),
        (DataType.UINT16, "int_value", 65_535, 65_535),
        (DataType.UINT32, "int_value", 0xFFFFFFFF, 0xFFFFFFFF),
        (DataType.UINT64, "long_value", (1 << 64) - 1, (1 << 64) - 1),
        (DataType.DATETIME, "long_value", 1_795_305_600_000, 1_795_305_600_000),
        (DataType.FLOAT, "float_value", 1.5, 1.5),
        (DataType.DOUBLE, "double_value", 1.5, 1.5),
        (DataType.UNKNOWN, "double_value", 1.5, 1.5),
        (DataType.BOOLEAN, "boolean_value", True, True),
        (DataType.STRING, "string_value", "RUN", "RUN"),
        (DataType.TEXT, "string_value", "RUN", "RUN"),
    ],
)
def test_values(datatype: DataType, choice: str, value: object, expected: object) -> None:
    found = convert_value(choice, value, datatype)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("datatype", "choice", "value"),
    [
        (DataType.INT8, "int_value", 0x100),
        (DataType.INT8, "int_value", 0xFFFFFF7F),
        (DataType.UINT8, "int_value", 256),
        (DataType.UINT16, "long_value", 65_536),
        (DataType.INT32, "long_value", 1 << 40),
        (DataType.BOOLEAN, "int_value", 1),
        (DataType.FLOAT, "int_value", 1),
        (DataType.DOUBLE, "string_value", "1.5"),
        (DataType.STRING, "double_value", 1.5),
        (DataType.UNKNOWN, "int_value", 1),
        (99, "int_value", 1),
    ],
)
def test_values_that_are_not_of_their_type(datatype: int, choice: str, value: object) -> None:
    found = convert_value(choice, value, datatype)
    assert isinstance(found, Problem)
    assert found.reason is RejectionReason.NOT_SPARKPLUG


@pytest.mark.parametrize(
    ("datatype", "choice"),
    [
        (DataType.DATASET, "dataset_value"),
        (DataType.TEMPLATE, "template_value"),
        (DataType.BYTES, "bytes_value"),
        (DataType.FILE, "bytes_value"),
        (DataType.DOUBLE_ARRAY, "bytes_value"),
        (DataType.UNKNOWN, "extension_value"),
        (DataType.DOUBLE, "bytes_value"),
    ],
)
def test_what_is_no_reading(datatype: DataType, choice: str) -> None:
    found = convert_value(choice, b"", datatype)
    assert isinstance(found, Problem)
    assert found.reason is RejectionReason.UNSUPPORTED


def test_quality_codes() -> None:
    assert [find_quality(code) for code in (None, 192, 0, 500, 64)] == ["good", "good", "bad", "bad", "uncertain"]


def test_a_payload_as_another_encoder_writes_it() -> None:
    metrics = [
        Metric(DataType.INT16, -5, name="a/b", alias=3, time_ms=7, unit="kPa", quality=500),
        Metric(DataType.FLOAT, 1.5, alias=4, is_historical=True),
        Metric(DataType.STRING, None, name="mode"),
    ]
    found = decode_payload(encode_payload(9, 255, metrics), 1_000, 10)
    assert isinstance(found, Payload)
    first, second, third = found.metrics
    assert (found.timestamp, found.seq) == (9, 255)
    assert (first.name, first.alias, first.timestamp, first.unit, first.quality) == ("a/b", 3, 7, "kPa", 500)
    assert convert_value("int_value", first.value, first.datatype or 0) == -5
    assert (second.name, second.alias, second.timestamp, second.value) == (None, 4, None, 1.5)
    assert second.is_historical
    assert third.is_null


def test_nan_is_a_value_that_is_judged_later() -> None:
    found = decode_payload(encode_payload(1, 0, [Metric(DataType.DOUBLE, math.nan, name="a")]), 1_000, 10)
    assert isinstance(found, Payload)
    assert math.isnan(found.metrics[0].value)  # type: ignore[arg-type]


def test_a_name_that_is_no_text() -> None:
    found = decode_payload(b"\x12\x03\x0a\x01\xff", 1_000, 10)
    assert isinstance(found, Problem)
    assert found.reason is RejectionReason.NOT_SPARKPLUG


def test_more_metrics_than_a_message_may_have() -> None:
    found = decode_payload(encode_payload(1, 0, [Metric(DataType.DOUBLE, 1.0, name="a")] * 11), 1_000, 10)
    assert isinstance(found, Problem)
    assert (found.reason, found.weight) == (RejectionReason.TOO_MANY_VALUES, 11)


def pack(body: bytes, algorithm: str | None) -> bytes:
    """A packed payload: field 4 uuid, field 5 body, and the metric that names the algorithm."""
    named = [] if algorithm is None else [Metric(DataType.STRING, algorithm, name="algorithm")]
    outer = encode_payload(5, 17, named)
    uuid = b"\x22" + bytes([len(COMPRESSED)]) + COMPRESSED.encode()
    length = len(body)
    varint = bytearray()
    while length > 127:
        varint.append(length & 127 | 128)
        length >>= 7
    return outer + uuid + b"\x2a" + bytes([*varint, length]) + body


@pytest.mark.parametrize("algorithm", ["GZIP", "DEFLATE", None, "raw"])
def test_packed_payloads(algorithm: str | None) -> None:
    inner = encode_payload(9, None, [Metric(DataType.DOUBLE, 1.5, name="a")])
    packer = zlib.compressobj(wbits=-15)
    raw = packer.compress(inner) + packer.flush()
    body = {"GZIP": gzip.compress(inner), "raw": raw}.get(algorithm or "", zlib.compress(inner))
    found = decode_payload(pack(body, "DEFLATE" if algorithm == "raw" else algorithm), 1_000, 10)
    assert isinstance(found, Payload)
    assert (found.timestamp, found.seq, found.metrics[0].value) == (9, 17, 1.5), "seq stood outside alone"


@pytest.mark.parametrize(
    ("body", "algorithm", "reason"),
    [
        (zlib.compress(bytes(100_000)), "DEFLATE", RejectionReason.TOO_LARGE),
        (gzip.compress(bytes(100_000)), "GZIP", RejectionReason.TOO_LARGE),
        (b"nothing", "DEFLATE", RejectionReason.BAD_COMPRESSION),
        (zlib.compress(b"12345")[:-3], "DEFLATE", RejectionReason.BAD_COMPRESSION),
        (b"", "LZ4", RejectionReason.BAD_COMPRESSION),
    ],
)
def test_bodies_that_cannot_be_unpacked(body: bytes, algorithm: str, reason: RejectionReason) -> None:
    found = unpack_body(body, algorithm, 1_000)
    assert isinstance(found, Problem)
    assert found.reason is reason


def test_a_packed_payload_within_another() -> None:
    once = pack(zlib.compress(encode_payload(1, 1, [])), "DEFLATE")
    found = decode_payload(pack(zlib.compress(once), "DEFLATE"), 10_000, 10)
    assert isinstance(found, Problem)
    assert found.reason is RejectionReason.BAD_COMPRESSION


def test_the_request_for_births_is_understood() -> None:
    assert asks_for_rebirth(encode_rebirth(1))
    assert not asks_for_rebirth(encode_payload(1, None, [Metric(DataType.BOOLEAN, True, name="Node Control/Reboot")]))
    assert not asks_for_rebirth(b"\xff\xff")
