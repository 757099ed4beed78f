"""A device that loops loses what goes beyond its limit, all of it counted, and nobody else loses anything."""

from collections import Counter

import numpy as np

from domain.reading import RejectionReason
from ingest.batch import Batch, read_batch
from ingest.careful import EXCERPT
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.rate_limit import MERGE_US, RateLimit
from ingest.settings import IngestSettings

NOW_US = 1_763_000_000_000_000
SECOND_US = 1_000_000
SERIALS = ("LOOP", "CALM")
SETTINGS = IngestSettings("")


def make_table(version: int = 1) -> DeviceTable:
    devices = [
        DeviceEntry(
            10 * (i + 1),
            serial,
            0,
            {"a": SensorEntry(2 * i + 1, -1e9, 1e9, "1"), "b": SensorEntry(2 * i + 2, -1e9, 1e9, "1")},
            "G",
            max_messages_s=2.0,
            burst_messages=5,
        )
        for i, serial in enumerate(SERIALS)
    ]
    return DeviceTable(devices, version=version, shard_count=1)


TABLE = make_table()


def message(serial: str, number: int) -> Message:
    payload = f'{{"ts": {NOW_US // 1000 - number}, "values": {{"a": {number}, "b": 1}}}}'.encode()
    return Message(f"forewarn/v1/{serial}/telemetry".encode(), payload, 1, 0x32, len(payload))


def gateway_message(number: int) -> Message:
    item = f'{{"ts": {NOW_US // 1000 - number}, "values": {{"a": {number}}}}}'
    payload = f'{{"LOOP": [{item}], "CALM": [{item}]}}'.encode()
    return Message(b"forewarn/v1/gateway/G/telemetry", payload, 1, 0x32, len(payload))


def read(messages: list[Message], at_us: int = NOW_US) -> Batch:
    return read_batch([Chunk(1, at_us, messages, 0)], TABLE, SETTINGS, Counter())


def count_values(batch: Batch) -> Counter[str]:
    series = Counter(batch.series_id.tolist())
    return Counter({serial: series[2 * i + 1] + series[2 * i + 2] for i, serial in enumerate(SERIALS)})


def test_what_goes_beyond_is_one_rejection_with_its_first_payload_and_every_value_counted() -> None:
    messages = [message("LOOP", i) for i in range(9)]
    batch = RateLimit().apply(read([*messages[:4], message("CALM", 0), *messages[4:]]), TABLE)
    assert count_values(batch) == {"LOOP": 10, "CALM": 2}
    ((_, rejection),) = batch.rejections
    assert (rejection.reason, rejection.serial, rejection.weight) == (RejectionReason.TOO_FAST, "LOOP", 8)
    assert rejection.payload == messages[5].payload
    assert "2 messages a second" in rejection.detail
    assert "4 messages with 8 values" in rejection.detail
    assert batch.rejected == 8
    assert batch.limited == [6, 7, 8, 9]
    assert batch.halve()[0].rejected + batch.halve()[1].rejected == 8


def test_of_a_gateways_message_only_the_share_of_the_fast_device_is_refused() -> None:
    limit = RateLimit()
    limit.apply(read([message("LOOP", i) for i in range(5)]), TABLE)
    batch = limit.apply(read([gateway_message(9)]), TABLE)
    assert count_values(batch) == {"LOOP": 0, "CALM": 1}
    assert batch.rejected == 1


def test_a_bucket_fills_again_in_the_receivers_time_and_up_to_its_burst() -> None:
    limit = RateLimit()
    limit.apply(read([message("LOOP", i) for i in range(5)]), TABLE)
    assert count_values(limit.apply(read([message("LOOP", i) for i in range(9)], NOW_US + SECOND_US), TABLE)) == {
        "LOOP": 4,
        "CALM": 0,
    }
    later = NOW_US + 3_600 * SECOND_US
    assert count_values(limit.apply(read([message("LOOP", i) for i in range(9)], later), TABLE))["LOOP"] == 10


def test_a_loop_that_goes_on_is_named_every_few_seconds_and_not_in_every_batch() -> None:
    limit = RateLimit()
    named = []
    lost = 0
    for step in range(100):
        batch = limit.apply(read([message("LOOP", i) for i in range(20)], NOW_US + step * SECOND_US // 10), TABLE)
        named += [rejection for _, rejection in batch.rejections]
        lost += batch.rejected
    named += limit.take_said(NOW_US + 10 * SECOND_US + MERGE_US)
    assert 2 <= len(named) <= 4
    assert sum(rejection.weight for rejection in named) == lost
    assert limit.take_said(NOW_US + 100 * SECOND_US) == []


def test_what_waited_while_nobody_listened_is_no_loop() -> None:
    limit = RateLimit()
    limit.apply(read([message("LOOP", i) for i in range(5)]), TABLE)
    limit.credit(10.0)
    batch = limit.apply(read([message("LOOP", i) for i in range(30)]), TABLE)
    assert count_values(batch)["LOOP"] == 2 * 20


def test_a_new_registry_gives_nobody_a_new_bucket() -> None:
    limit = RateLimit()
    limit.apply(read([message("LOOP", i) for i in range(5)]), TABLE)
    batch = limit.apply(read([message("LOOP", 9), message("CALM", 9)]), make_table(2))
    assert count_values(batch) == {"LOOP": 0, "CALM": 2}


def test_garbage_and_events_of_a_loop_are_refused_like_its_readings() -> None:
    event = b'{"code": "E1", "severity": "MAJOR"}'
    messages = [Message(b"forewarn/v1/LOOP/event", event, 1, 0x32, len(event)) for _ in range(8)]
    messages += [Message(b"forewarn/v1/LOOP/telemetry", b"{", 1, 0x32, 1) for _ in range(8)]
    batch = RateLimit().apply(read(messages), TABLE)
    assert len(batch.reports) == 5
    assert [rejection.reason for _, rejection in batch.rejections] == [RejectionReason.TOO_FAST]
    assert batch.rejected == 11
    assert np.array_equal(batch.message_no, [])


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    limit = RateLimit()
    limit.apply(read([message("LOOP", i) for i in range(9)]), TABLE)
    earlier = NOW_US - 200 * SECOND_US
    named = limit.apply(read([message("LOOP", 0)], earlier), TABLE).rejections
    assert [rejection.reason for _, rejection in named] == [RejectionReason.TOO_FAST], "it is named again at once"
    batch = limit.apply(read([message("LOOP", i) for i in range(2)], earlier + SECOND_US), TABLE)
    assert count_values(batch)["LOOP"] == 4, "a second later it may send two messages again"


def test_a_large_message_is_kept_once_for_all_of_its_devices() -> None:
    limit = RateLimit()
    item = f'{{"ts": {NOW_US // 1000}, "values": {{"a": 1}}}}'
    payload = f'{{"LOOP": [{item}], "CALM": [{item}]{" " * 50_000}}}'.encode()
    large = Message(b"forewarn/v1/gateway/G/telemetry", payload, 1, 0x32, len(payload))
    batch = limit.apply(read([large] * 6), TABLE)
    kept = [rejection for _, rejection in batch.rejections]
    assert sorted(len(rejection.payload) for rejection in kept) == [EXCERPT, len(payload)]
    assert {rejection.serial for rejection in kept} == {"LOOP", "CALM"}
    assert all(rejection.size == len(payload) for rejection in kept)


def test_what_is_not_said_yet_is_said_at_the_end() -> None:
    limit = RateLimit()
    batches = [limit.apply(read([message("LOOP", i) for i in range(9)]), TABLE) for _ in range(2)]
    named = [rejection for batch in batches for _, rejection in batch.rejections]
    assert len(named) == 1
    assert sum(rejection.weight for rejection in named + limit.take_rest()) == sum(batch.rejected for batch in batches)
    assert limit.take_rest() == []


def test_a_message_with_many_problems_is_kept_about_once() -> None:
    items = ", ".join(f'"STRANGER-{i}": [{{"ts": 1, "values": {{"{"a" * 500}": 1}}}}]' for i in range(24))
    payload = f"{{{items}}}".encode()
    batch = read([Message(b"forewarn/v1/gateway/G/telemetry", payload, 1, 0x32, len(payload))])
    kept = [rejection.payload for _, rejection in batch.rejections]
    assert len(kept) > 20
    assert kept[0] == payload
    assert sum(map(len, kept)) < 3 * len(payload)
