"""Batches: repetitions of what cannot be known again, and halves."""

import json
from collections import Counter

from ingest.batch import Batch, find_digest, find_unrecognisable, read_batch
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.settings import IngestSettings

NOW_US = 1_795_305_600_000_000
SETTINGS = IngestSettings("postgresql://nowhere")
TABLE = DeviceTable([DeviceEntry(1, "SN-1", 0, {"a": SensorEntry(1, 0.0, 100.0, "1")})], version=1, shard_count=1)
DUP = 0x3A
FIRST = 0x32


def make_message(document: object, *, header: int = FIRST, topic: bytes = b"forewarn/v1/SN-1/telemetry") -> Message:
    payload = json.dumps(document).encode()
    return Message(topic, payload, 1, header, len(payload))


def make_batch(*messages: Message, receipts: Counter[bytes] | None = None, may_repeat: bool = False) -> Batch:
    chunk = Chunk(1, NOW_US, list(messages), 0, may_repeat)
    return read_batch([chunk], TABLE, SETTINGS, Counter() if receipts is None else receipts)


dated = {"ts": NOW_US // 1000, "values": {"a": 1}}
undated = {"values": {"a": 1}}


def test_what_could_not_be_known_again_is_what_was_refused_or_has_no_time() -> None:
    good, clockless, refused = make_message(dated), make_message(undated), make_message({"values": {"b": 1}})
    alarm = make_message({"code": "E1", "severity": "MAJOR"}, topic=b"forewarn/v1/SN-1/event")
    batch = make_batch(good, clockless, refused, alarm)
    assert find_unrecognisable(batch, []) == [find_digest(clockless), find_digest(refused), find_digest(alarm)]
    assert find_unrecognisable(batch, [0])[0] == find_digest(good), "a conflict would be kept twice"


def test_a_repetition_is_left_out_once_for_each_receipt() -> None:
    repeated = make_message(undated, header=DUP)
    receipts = Counter([find_digest(repeated)])
    batch = make_batch(repeated, repeated, receipts=receipts)
    assert (len(batch.messages), batch.skipped) == (1, [find_digest(repeated)])


def test_what_is_no_repetition_is_taken_although_it_looks_the_same() -> None:
    message = make_message(undated)
    assert make_batch(message, receipts=Counter([find_digest(message)])).skipped == []


def test_a_broker_that_does_not_mark_repetitions_is_understood_at_the_beginning_of_a_session() -> None:
    message = make_message(undated)
    digest = find_digest(message)
    assert make_batch(message, receipts=Counter([digest]), may_repeat=True).skipped == [digest]


def test_halves_hold_all_that_the_whole_holds() -> None:
    status = make_message({"state": "online"}, topic=b"forewarn/v1/SN-1/status")
    batch = make_batch(make_message(dated), make_message({"values": {"b": 1}}), status, make_message(undated))
    first, second = batch.halve()
    assert [m.payload for half in (first, second) for m in half.messages] == [m.payload for m in batch.messages]
    assert (first.value.tolist(), second.value.tolist()) == ([1.0], [1.0])
    assert second.message_no.tolist() == [1]
    assert [number for number, _ in first.rejections] == [1]
    assert [report.message_no for report in second.reports] == [0]
    assert first.rejected + second.rejected == batch.rejected


def test_a_message_that_the_database_refuses_becomes_a_rejection_of_its_own() -> None:
    batch = make_batch(make_message(dated)).as_unstorable("DataError", 1)
    assert len(batch.value) == 0
    assert [(r.detail, r.payload) for _, r in batch.rejections] == [
        ("the database refuses it: DataError", make_message(dated).payload)
    ]
