"""Who is not registered may loop, and take a name for each message: it is counted to the last value, and kept within
bounds."""

from collections import Counter
from time import process_time

from domain.reading import Rejection, RejectionReason
from ingest.batch import Batch, find_unrecognisable, read_batch
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.rate_limit import MERGE_US, RateLimit
from ingest.settings import IngestSettings
from ingest.stranger_limit import KEPT_OF_STRANGERS, StrangerLimits

NOW_US = 1_763_000_000_000_000
SECOND_US = 1_000_000
KNOWN = DeviceEntry(
    1, "KNOWN", 0, {"a": SensorEntry(1, -1e9, 1e9, "1")}, None, max_messages_s=1e6, burst_messages=1_000_000
)
TABLE = DeviceTable([KNOWN], version=1, shard_count=1)
SETTINGS = IngestSettings("")
RATE, BURST, RATE_OF_ALL, BURST_OF_ALL, MOST_NAMES = 10, 30, 50, 500, 100
LIMITS = StrangerLimits(RATE, BURST, RATE_OF_ALL, BURST_OF_ALL, MOST_NAMES)


def message(topic: str, number: int = 0) -> Message:
    payload = f'{{"ts": {NOW_US // 1000 - number}, "values": {{"a": {number}, "b": 1}}}}'.encode()
    return Message(topic.encode(), payload, 1, 0x32, len(payload))


def from_stranger(serial: str, number: int = 0) -> Message:
    return message(f"forewarn/v1/{serial}/telemetry", number)


def read(messages: list[Message], at_us: int = NOW_US) -> Batch:
    return read_batch([Chunk(1, at_us, messages, 0)], TABLE, SETTINGS, Counter())


def split(batch: Batch) -> tuple[list[Rejection], list[Rejection]]:
    """What was kept of strangers, and what stands for the rest."""
    found = [rejection for _, rejection in batch.rejections]
    too_fast = [rejection for rejection in found if rejection.reason is RejectionReason.TOO_FAST]
    return [rejection for rejection in found if rejection.reason is not RejectionReason.TOO_FAST], too_fast


def test_what_an_unregistered_serial_sends_beyond_its_bucket_is_one_rejection_with_the_first_payload() -> None:
    messages = [from_stranger("LOOP", i) for i in range(BURST + 40)]
    batch = RateLimit(strangers=LIMITS).apply(read([*messages, from_stranger("CALM")]), TABLE)
    kept, (said,) = split(batch)
    assert Counter(rejection.serial for rejection in kept) == {"LOOP": BURST, "CALM": 1}
    assert (said.serial, said.weight, said.payload) == ("LOOP", 80, messages[BURST].payload)
    assert "'LOOP' is no registered device; it is kept 10 times a second, 30 at once" in said.detail
    assert "40 with 80 values went beyond that" in said.detail
    assert batch.rejected == 2 * len(messages) + 2, "the ledger counts every value of it"


def test_a_repetition_of_what_was_not_kept_is_known_again() -> None:
    messages = [from_stranger("LOOP", i) for i in range(BURST + 2)]
    batch = RateLimit(strangers=LIMITS).apply(read(messages), TABLE)
    assert len(find_unrecognisable(batch, [])) == len(messages)


def test_a_bucket_fills_again_in_the_receivers_time() -> None:
    limit = RateLimit(strangers=LIMITS)
    limit.apply(read([from_stranger("LOOP", i) for i in range(BURST + 1)]), TABLE)
    kept, _ = split(limit.apply(read([from_stranger("LOOP", i) for i in range(99)], NOW_US + 2 * SECOND_US), TABLE))
    assert len(kept) == 2 * RATE


def test_what_waited_while_nobody_listened_is_no_loop() -> None:
    limit = RateLimit(strangers=LIMITS)
    limit.apply(read([from_stranger("LOOP", i) for i in range(BURST)]), TABLE)
    limit.credit(3.0)
    kept, said = split(limit.apply(read([from_stranger("LOOP", i) for i in range(3 * int(RATE))]), TABLE))
    assert len(kept) == 3 * RATE
    assert said == []


def test_a_new_name_for_each_message_is_held_by_the_bucket_of_all() -> None:
    limit = RateLimit(strangers=LIMITS)
    kept: list[Rejection] = []
    said: list[Rejection] = []
    lost = 0
    for step in range(12):
        names = [f"N{step}-{i}" for i in range(50)]
        batch = limit.apply(read([from_stranger(name) for name in names], NOW_US + step), TABLE)
        kept += split(batch)[0]
        said += split(batch)[1]
        lost += batch.rejected
    said += limit.take_said(NOW_US + MERGE_US + SECOND_US)
    assert len(kept) == BURST_OF_ALL
    assert BURST_OF_ALL > MOST_NAMES, "or no name was ever without a bucket of its own here"
    assert {rejection.serial for rejection in said} == {None}
    assert sum(rejection.weight for rejection in kept + said) == lost
    assert f"up to {RATE_OF_ALL:g} times a second" in said[0].detail


def test_names_beyond_those_with_a_bucket_cost_no_more_than_others() -> None:
    limit = RateLimit()
    spent = []
    most = KEPT_OF_STRANGERS.most_names
    for names in (range(most), range(most, most + 2_000)):
        batch = read([from_stranger(f"N{name}") for name in names])
        begin = process_time()
        limit.apply(batch, TABLE)
        spent.append(process_time() - begin)
    assert spent[1] < 5 * spent[0], "to look at all names for each message would take sixty times as long"


def test_a_topic_that_nobody_knows_has_a_bucket_as_well() -> None:
    kept, (said,) = split(RateLimit(strangers=LIMITS).apply(read([message("else/where")] * (BURST + 5)), TABLE))
    assert {rejection.reason for rejection in kept} == {RejectionReason.UNKNOWN_TOPIC}
    assert "'else/where' is no registered device" in said.detail


def test_a_loop_of_a_stranger_takes_nothing_from_devices_and_is_said_every_few_seconds() -> None:
    limit = RateLimit(strangers=LIMITS)
    said: list[Rejection] = []
    stored = 0
    for step in range(100):
        messages = [from_stranger("LOOP", i) for i in range(20)]
        own = Message(b"forewarn/v1/KNOWN/telemetry", b'{"ts": %d, "values": {"a": 1}}' % (NOW_US // 1000), 1, 0x32, 44)
        batch = limit.apply(read([*messages, own], NOW_US + step * SECOND_US // 10), TABLE)
        said += split(batch)[1]
        stored += len(batch.series_id)
    said += limit.take_rest()
    assert stored == 100
    assert 2 <= len(said) <= 4
