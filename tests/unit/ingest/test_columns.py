"""The quick way and the careful way agree on everything, and nothing that comes over the wire raises."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import RejectionReason
from ingest.careful import MAX_REJECTIONS, read_carefully
from ingest.columns import Columns, Limits, decode_messages
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.validate import find_window

NOW_US = 1_795_305_600_000_000
WINDOW = find_window(NOW_US, retention_days=400, max_future_s=300)
LIMITS = Limits(max_payload=1 << 20, max_values=10_000)
SERIALS = ("SN-1", "SN-2")
SENSORS = ("a", "b", "c")


def make_table() -> DeviceTable:
    devices = [
        DeviceEntry(
            i + 1,
            serial,
            i,
            {
                key: SensorEntry(1 + i * len(SENSORS) + k, -100.0, 100.0, "1", {"on": 1.0})
                for k, key in enumerate(SENSORS)
            },
            gateway=(None, "G")[i % 2],
        )
        for i, serial in enumerate(SERIALS)
    ]
    return DeviceTable(devices, version=1, shard_count=2)


def make_message(payload: bytes | str, topic: str = "forewarn/v1/SN-1/telemetry") -> Message:
    raw = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
    return Message(topic.encode(), raw, 1, 0x32, len(raw))


def decode(*messages: Message) -> Columns:
    return decode_messages(messages, make_table(), WINDOW, LIMITS)


numbers = st.one_of(
    st.integers(-150, 150),
    st.floats(-150, 150),
    st.sampled_from(["on", "off"]),
    st.just(float("nan")),
    st.just(10**400),
    st.booleans(),
)
anything = st.recursive(
    st.one_of(st.none(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
times = st.one_of(
    st.integers(NOW_US // 1000 - 10_000, NOW_US // 1000),
    st.sampled_from([0, -1, 2**63, 10**300, "2026-11-22"]),
    anything,
)
values = st.dictionaries(
    st.one_of(st.sampled_from(SENSORS), st.text(max_size=3)), st.one_of(numbers, anything), max_size=4
)
units = st.one_of(
    st.dictionaries(st.sampled_from(SENSORS), st.one_of(st.sampled_from(["1", "%", "[ppm]", "V", "?"]), anything)),
    anything,
)
items = st.one_of(
    st.fixed_dictionaries({"ts": times, "values": values}),
    st.fixed_dictionaries(
        {"values": values}, optional={"ts": times, "seq": anything, "quality": anything, "units": units}
    ),
    anything,
)
telemetry = st.one_of(items, st.lists(items, max_size=4))
gateway = st.one_of(st.dictionaries(st.one_of(st.sampled_from(SERIALS), st.text(max_size=3)), telemetry), anything)
topics = st.sampled_from(
    [f"forewarn/v1/SN-1/{kind}" for kind in ("telemetry", "firmware", "event", "status", "other")]
    + ["forewarn/v1/gateway/G/telemetry", "forewarn/v1/gateway/G/status", "v1/gateway/telemetry", "forewarn/v1/x", ""]
)


@given(
    st.lists(st.one_of(st.binary(max_size=60), gateway.map(json.dumps), telemetry.map(json.dumps)), max_size=6), topics
)
@settings(max_examples=400, deadline=None)
def test_nothing_raises_and_what_is_stored_is_good(payloads: list[bytes | str], topic: str) -> None:
    columns = decode(*(make_message(payload, topic) for payload in payloads))
    count = len(columns.series_id)
    assert len(columns.value) == len(columns.observed_us) == len(columns.flags) == len(columns.message_no) == count
    assert ((columns.value >= -100.0) & (columns.value <= 100.0)).all()
    assert (columns.observed_us >= WINDOW.oldest_us).all()
    assert (columns.observed_us <= WINDOW.latest_us).all()
    assert (columns.message_no[1:] >= columns.message_no[:-1]).all()
    for _, rejection in columns.rejections:
        rejection.detail.encode()
        assert "\0" not in rejection.topic + rejection.detail + (rejection.field or "") + (rejection.serial or "")
    # Every message leaves a trace.
    seen = (
        set(columns.message_no.tolist()) | {n for n, _ in columns.rejections} | {r.message_no for r in columns.reports}
    )
    assert seen == set(range(len(payloads)))


@given(st.lists(telemetry.map(json.dumps), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_both_ways_agree(payloads: list[str]) -> None:
    messages = [make_message(payload) for payload in payloads]
    columns = decode(*messages)
    table = make_table()
    windows = [replace(WINDOW, received_us=NOW_US + i) for i in range(len(messages))]
    found = [
        read_carefully(m, table, window, LIMITS.max_payload, LIMITS.max_values)
        for m, window in zip(messages, windows, strict=True)
    ]
    assert columns.series_id.tolist() == [s for one in found for s in one.judged.series_id]
    assert columns.observed_us.tolist() == [t for one in found for t in one.judged.observed_us]
    assert columns.value.tolist() == [v for one in found for v in one.judged.value]
    assert columns.flags.tolist() == [f for one in found for f in one.judged.flags]
    assert [r for _, r in columns.rejections] == [r for one in found for r in one.rejections]
    assert sum(r.weight for r in columns.refusals) == sum(one.rejected for one in found)


def _message(**values: Any) -> str:
    return json.dumps({"ts": NOW_US // 1000, "values": values})


def test_a_bad_message_costs_its_neighbours_nothing() -> None:
    good = [make_message(_message(a=i, b=1, c=2)) for i in range(50)]
    columns = decode(*good[:25], make_message(_message(a="x", b=7)), make_message("{"), *good[25:])
    assert columns.value[columns.message_no == 25].tolist() == [7.0]
    assert len(columns.value) == 151
    assert [(n, r.reason, r.field) for n, r in columns.rejections] == [
        (25, RejectionReason.NOT_A_NUMBER, "values.a"),
        (26, RejectionReason.NOT_JSON, None),
    ]


def test_the_rejections_of_one_message_are_bounded_and_the_rest_is_counted() -> None:
    payload = json.dumps([{"ts": 0, "values": {"a": 1}}] * 500 + [{"ts": NOW_US // 1000, "values": {"a": 1}}])
    columns = decode(make_message(payload))
    assert len(columns.rejections) == MAX_REJECTIONS + 1
    assert columns.rejections[-1][1].detail == "and 480 problems more: 480 too_old"
    assert sum(r.weight for r in columns.refusals) == 500
    assert columns.value.tolist() == [1.0]


def test_a_message_may_hold_ten_thousand_values_and_no_more() -> None:
    part = {"ts": NOW_US // 1000, "values": {"a": 1, "b": 2}}
    assert len(decode(make_message(json.dumps([part] * 5_000))).value) == 10_000
    columns = decode(make_message(json.dumps([part] * 5_001)))
    assert [r.reason for _, r in columns.rejections] == [RejectionReason.TOO_MANY_VALUES]
    assert (len(columns.value), sum(r.weight for r in columns.refusals)) == (0, 10_002)


def test_a_message_of_one_mebibyte_is_read_and_a_larger_one_is_not() -> None:
    text = _message(a=1)
    assert len(decode(make_message(text + " " * ((1 << 20) - len(text)))).value) == 1
    columns = decode(make_message(text + " " * ((1 << 20) + 1 - len(text))))
    assert [r.reason for _, r in columns.rejections] == [RejectionReason.TOO_LARGE]


def test_a_key_that_stands_twice_is_seen_although_the_quick_parser_hides_it() -> None:
    columns = decode(make_message(f'{{"ts":{NOW_US // 1000},"values":{{"a":1,"a":2,"b":3}}}}'))
    assert columns.value.tolist() == [3.0]
    assert [r.field for _, r in columns.rejections] == ["values.a"]


def test_readings_without_a_time_never_fall_on_one_instant() -> None:
    columns = decode(*[make_message('{"values": {"a": 1}}')] * 3)
    assert columns.observed_us.tolist() == [NOW_US, NOW_US + 1, NOW_US + 2]
    assert columns.flags.tolist() == [1, 1, 1]


@pytest.mark.parametrize("topic", ["forewarn/v1/SN-1/telemetry", "v1/gateway/telemetry", "forewarn/v1/SN-1/event"])
@pytest.mark.parametrize("nested", ['{"a":', "[", '[{"a":'])
@pytest.mark.parametrize("depth", [100, 300, 500, 900, 2_000])
def test_what_is_nested_however_deep_is_a_rejection(topic: str, nested: str, depth: int) -> None:
    closing = nested.replace('"a":', "").translate(str.maketrans("[{", "]}"))[::-1]
    found = decode(make_message(nested * depth + "1" + closing * depth, topic), make_message('{"values": {"a": 1}}'))
    assert found.rejections
    assert {number for number, _ in found.rejections} == {0}
    assert found.value.tolist() == [1.0]
