"""Batches into a real database: each reading once, whatever comes twice, late, or from two processes."""

import json
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from domain.clock import from_micros
from ingest.batch import find_digest, read_batch
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.registry_table import build_table
from store.blocks import decode_block
from store.pool import DATABASE_GONE, open_connection
from store.registry import load_registry
from tests.integration.ingest.lab import Bench, Lab, report, telemetry, undated_reading
from tests.support.installation import find_upstream, with_place
from tests.support.proxy import cutting_proxy

NOW_MS = time.time_ns() // 1_000_000
NOW_US = NOW_MS * 1000


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    bench = Bench(lab)
    yield bench
    bench.close()


def test_new_readings_are_stored_and_carried_to_scoring(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry(f"T-{i:04}", NOW_MS + k, level=i, flow=k) for k in range(5) for i in range(20)], NOW_US)
    assert lab.count_readings() == 200
    assert lab.count_in_blocks() == 200
    assert lab.load_ledger() | {"messages": 100, "stored": 200} == lab.load_ledger()
    series = lab.value("""
        SELECT s.id FROM series s JOIN device d ON d.id = s.device_id WHERE serial = 'T-0003' AND sensor = 'flow'
    """)
    rows = lab.query("SELECT * FROM reading WHERE series_id = %s ORDER BY observed_at", series)
    assert [(row["observed_at"], row["value"], row["flags"]) for row in rows] == [
        (from_micros(NOW_US + 1000 * k), float(k), 0) for k in range(5)
    ]
    blocks = [decode_block(row["payload"]) for row in lab.query("SELECT payload FROM reading_block")]
    carried = [(int(s), float(v)) for b in blocks for s, v in zip(b.series_id, b.value, strict=True)]
    assert [value for series_id, value in carried if series_id == series] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_what_comes_twice_is_stored_once_in_a_batch_and_across_batches(lab: Lab, bench: Bench) -> None:
    message = telemetry("T-0000", NOW_MS, level=1, flow=2)
    bench.take([message, message], NOW_US)
    bench.take([message, telemetry("T-0000", NOW_MS + 1, level=1)], NOW_US)
    assert lab.count_readings() == lab.count_in_blocks() == 3
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"], ledger["conflicts"]) == (3, 4, 0)


def test_of_two_values_for_one_time_the_first_stays_and_the_second_is_kept_as_a_conflict(
    lab: Lab, bench: Bench
) -> None:
    bench.take([telemetry("T-0000", NOW_MS, level=1), telemetry("T-0000", NOW_MS, level=2)], NOW_US)
    bench.take([telemetry("T-0000", NOW_MS, level=3), telemetry("T-0000", NOW_MS, level=1)], NOW_US)
    assert [row["value"] for row in lab.query("SELECT value FROM reading")] == [1.0]
    rejections = lab.query("SELECT * FROM rejection ORDER BY id")
    assert [(r["reason"], r["serial"], r["field"]) for r in rejections] == [("conflict", "T-0000", "values.level")] * 2
    assert "2.0 at" in rejections[0]["detail"]
    assert "3.0 at" in rejections[1]["detail"]
    assert all("for which 1.0 is stored already" in r["detail"] for r in rejections)
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"], ledger["conflicts"]) == (1, 1, 2)
    assert lab.count_in_blocks() == 1


def test_a_big_message_full_of_conflicts_is_kept_once_and_not_for_each_of_them(lab: Lab, bench: Bench) -> None:
    def make(value: float) -> Message:
        items = [{"ts": NOW_MS - k, "values": {"level": value, "flow": value}} for k in range(2_000)]
        payload = json.dumps({f"T-{i:04}": items for i in range(2)}).encode()
        return Message(b"forewarn/v1/gateway/G/telemetry", payload, 1, 0x32, len(payload))

    bench.take([make(1)], NOW_US)
    bench.take([make(2)], NOW_US)
    assert lab.load_ledger()["conflicts"] == 8_000
    sizes = [row["size"] for row in lab.query("SELECT length(payload) AS size FROM rejection ORDER BY id")]
    assert len(sizes) == 8_000
    assert sizes[0] > 60_000
    assert max(sizes[1:]) <= 1_024
    assert lab.value("SELECT count(*) FROM rejection WHERE size = length(payload)") <= 1, (
        "excerpts do not pass for wholes"
    )


def test_late_readings_are_stored_and_marked(lab: Lab, bench: Bench) -> None:
    day_ms = 86_400_000
    bench.take([telemetry("T-0000", NOW_MS, level=1)], NOW_US)
    late = [telemetry("T-0000", NOW_MS - d * day_ms, level=d) for d in (3, 40, 99)]
    bench.take([*late, telemetry("T-0000", NOW_MS + 1, level=9)], NOW_US)
    rows = lab.query("SELECT value, flags FROM reading ORDER BY observed_at DESC")
    assert [(row["value"], row["flags"]) for row in rows] == [(9.0, 0), (1.0, 0), (3.0, 8), (40.0, 8), (99.0, 8)]
    assert lab.load_ledger()["late"] == 3
    assert lab.count_in_blocks() == 5


def test_two_processes_that_store_the_same_readings_store_them_once(lab: Lab, bench: Bench) -> None:
    other = Bench(lab, "other")
    messages = [telemetry(f"T-{i:04}", NOW_MS + k, level=i, flow=k) for k in range(10) for i in range(20)]
    bench.take(messages[:120], NOW_US)
    # The other one knows nothing of that: its plain COPY meets the index, and all goes the idempotent way.
    other.take(messages, NOW_US)
    bench.take(messages[100:], NOW_US)
    assert lab.count_readings() == lab.count_in_blocks() == 400
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"]) == (400, 440)
    other.close()


def test_a_commit_whose_answer_is_lost_is_settled_by_its_transaction(lab: Lab, bench: Bench) -> None:
    batch = bench.read([telemetry("T-0000", NOW_MS, level=1), telemetry("T-0000", NOW_MS, bad=1)], NOW_US)
    with (
        cutting_proxy(find_upstream(lab.url)) as proxy,
        open_connection(with_place(lab.url, proxy.port), application="ingest", autocommit=True) as conn,
    ):
        bench.recorder.record(conn, bench.read([telemetry("T-0001", NOW_MS, level=1)], NOW_US), bench.table)
        proxy.lose_answer_to(b"COMMIT", 1)
        with pytest.raises(DATABASE_GONE):
            bench.recorder.record(conn, batch, bench.table)
    outcome = bench.recorder.settle(bench.conn, batch)
    assert outcome is not None, "it was committed"
    assert outcome.entry.stored == 1
    assert bench.recorder.settle(bench.conn, batch) is None, "nothing is in doubt any more"
    assert lab.count_readings() == lab.count_in_blocks() == 2
    assert len(lab.query("SELECT * FROM rejection")) == 1
    assert lab.load_ledger()["values_received"] == 3


def test_a_commit_whose_answer_is_lost_says_nothing_of_the_next_batch(lab: Lab, bench: Bench) -> None:
    batch = bench.read([telemetry("T-0000", NOW_MS, level=1)], NOW_US)
    following = bench.read([telemetry("T-0000", NOW_MS + 1, level=2, flow=3)], NOW_US)
    bench.take([telemetry("T-0001", NOW_MS, level=1)], NOW_US)
    with (
        cutting_proxy(find_upstream(lab.url)) as proxy,
        open_connection(with_place(lab.url, proxy.port), application="ingest", autocommit=True) as conn,
    ):
        conn.execute("SELECT 1")
        proxy.lose_answer_to(b"COMMIT", 1)
        with pytest.raises(DATABASE_GONE):
            bench.recorder.record(conn, batch, bench.table)
    assert bench.recorder.settle(bench.conn, following) is None, "it is not stored, and must not be acknowledged"
    assert bench.recorder.record(bench.conn, following, bench.table).entry.stored == 2
    assert lab.count_readings() == 4


def test_a_transaction_that_was_cut_is_recorded_again(lab: Lab, bench: Bench) -> None:
    batch = bench.read([telemetry("T-0000", NOW_MS, level=1)], NOW_US)
    with (
        cutting_proxy(find_upstream(lab.url)) as proxy,
        open_connection(with_place(lab.url, proxy.port), application="ingest", autocommit=True) as conn,
    ):
        conn.execute("SELECT 1")
        proxy.cut_all()
        with pytest.raises(DATABASE_GONE):
            bench.recorder.record(conn, batch, bench.table)
    assert bench.recorder.settle(bench.conn, batch) is None
    bench.recorder.record(bench.conn, batch, bench.table)
    assert lab.count_readings() == 1


def test_who_spoke_while_another_registry_was_read_was_heard_of(lab: Lab, bench: Bench) -> None:
    batch, before = bench.read([telemetry("T-0001", NOW_MS, level=1)], NOW_US), bench.table
    registry = load_registry(bench.conn)
    bench.sightings.adopt(registry, build_table(registry))
    bench.recorder.record(bench.conn, batch, before)
    bench.sightings.write(bench.conn)
    seen = lab.query("SELECT serial, last_seen_at FROM device WHERE last_seen_at IS NOT NULL")
    assert [(row["serial"], row["last_seen_at"]) for row in seen] == [("T-0001", from_micros(NOW_US))]


def test_firmware_is_what_the_newest_report_says_and_history_keeps_the_change(lab: Lab, bench: Bench) -> None:
    def updated(version: str, time_ms: int, component: str = "main") -> None:
        bench.take(
            [report("T-0000", "firmware", ts=time_ms, component=component, version=version, state="UPDATED")], NOW_US
        )

    before = lab.value("SELECT firmware FROM device WHERE serial = 'T-0000'")
    updated("2.0", NOW_MS)
    updated("2.0", NOW_MS)  # sent again
    updated("1.9", NOW_MS - 60_000)  # held back by a gateway
    updated("7.1", NOW_MS, component="pump")
    bench.take([report("T-0000", "firmware", ts=NOW_MS + 5, version="3.0", state="DOWNLOADING")], NOW_US)
    assert lab.value("SELECT firmware FROM device WHERE serial = 'T-0000'") == "2.0"
    history = lab.query("SELECT field, before, after, source FROM device_history ORDER BY id")
    assert [tuple(row.values()) for row in history] == [
        ("firmware:main", before or None, "1.9", "device"),
        ("firmware:main", "1.9", "2.0", "device"),
        ("firmware:pump", None, "7.1", "device"),
    ]
    assert lab.value("SELECT count(*) FROM firmware_report") == 4
    reports = [r for row in lab.query("SELECT reports FROM reading_block ORDER BY position") for r in row["reports"]]
    assert [r["version"] for r in reports] == ["2.0", "1.9", "7.1", "3.0"], "scoring is told of each once"


def test_events_are_stored_once(lab: Lab, bench: Bench) -> None:
    alarm = report("T-0000", "event", ts=NOW_MS, code="E1", severity="MAJOR", message="occlusion")
    bench.take([alarm, alarm], NOW_US)
    bench.take([alarm], NOW_US)
    assert lab.value("SELECT count(*) FROM device_event") == 1


def test_a_will_makes_a_device_offline_and_a_newer_reading_online_again(lab: Lab, bench: Bench) -> None:
    def connectivity() -> str:
        bench.sightings.write(bench.conn)
        return str(lab.value("SELECT connectivity FROM device WHERE serial = 'T-0000'"))

    assert connectivity() == "UNKNOWN"
    bench.take([telemetry("T-0000", NOW_MS, level=1)], NOW_US)
    assert connectivity() == "ONLINE"
    second = 1_000_000
    # The will was written when the device connected, long before its last reading.
    bench.take([report("T-0000", "status", ts=NOW_MS - 60_000, state="offline")], NOW_US + second)
    assert connectivity() == "OFFLINE"
    bench.take([telemetry("T-0000", NOW_MS + 1, level=1)], NOW_US + 2 * second)
    assert connectivity() == "OFFLINE", "a reading from before, sent on later by a gateway"
    retained = report("T-0000", "status", header=0x33, ts=NOW_MS - 60_000, state="offline")
    bench.take([telemetry("T-0000", NOW_MS + 2_500, level=1)], NOW_US + 3 * second)
    assert connectivity() == "ONLINE"
    bench.take([retained], NOW_US + 4 * second)
    assert connectivity() == "ONLINE", "a retained will that we have seen before is no news"
    history = lab.query("SELECT before, after FROM device_history WHERE field = 'connectivity' ORDER BY id")
    assert [row["after"] for row in history] == ["ONLINE", "OFFLINE", "ONLINE"]


def test_last_seen_and_last_observed_move_forward_only(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("T-0000", NOW_MS, level=1, flow=1)], NOW_US)
    bench.sightings.write(bench.conn)
    late = Bench(lab, "late")
    late.take([telemetry("T-0000", NOW_MS - 1_000, level=1)], NOW_US - 1_000_000)
    late.sightings.write(late.conn)
    late.close()
    assert lab.value("SELECT last_seen_at FROM device WHERE serial = 'T-0000'") == from_micros(NOW_US)
    observed = lab.query(
        "SELECT sensor, last_observed_at FROM series WHERE last_observed_at IS NOT NULL ORDER BY sensor"
    )
    assert [(row["sensor"], row["last_observed_at"]) for row in observed] == [
        ("flow", from_micros(NOW_US)),
        ("level", from_micros(NOW_US)),
    ]


def test_a_day_that_retention_has_dropped_is_made_again(lab: Lab, bench: Bench) -> None:
    week_ms = 7 * 86_400_000
    bench.take([telemetry("T-0000", NOW_MS - week_ms, level=1)], NOW_US)
    with psycopg.connect(lab.url) as conn:
        conn.execute("SELECT drop_readings_before(current_date - 1)")
    bench.take([telemetry("T-0000", NOW_MS - week_ms + 1, level=2)], NOW_US)
    assert [row["value"] for row in lab.query("SELECT value FROM reading")] == [2.0]


def test_receipts_survive_the_process(lab: Lab, bench: Bench) -> None:
    refused = telemetry("T-0000", NOW_MS, bad=1)
    bench.take([refused, telemetry("T-0001", NOW_MS, level=1)], NOW_US)
    after = Bench(lab)
    chunk = Chunk(1, NOW_US, [refused._replace(header=0x3A), telemetry("T-0001", NOW_MS, header=0x3A, level=1)], 0)
    batch = read_batch([chunk], after.table, after.settings, after.recorder.receipts)
    assert (len(batch.skipped), len(batch.rejections), len(batch.value)) == (1, 0, 1)
    after.recorder.record(after.conn, batch, after.table)
    after.close()
    assert lab.count_readings() == 1
    assert len(lab.query("SELECT * FROM rejection")) == 1


def test_a_whole_batch_without_times_that_is_sent_again_is_stored_once(lab: Lab, bench: Bench) -> None:
    messages = [undated_reading(f"T-{i % 20:04}", i) for i in range(bench.settings.batch_messages)]
    bench.take(messages, NOW_US)
    after = Bench(lab)
    chunk = Chunk(1, NOW_US + 60_000_000, [m._replace(header=0x3A) for m in messages], 0)
    batch = read_batch([chunk], after.table, after.settings, after.recorder.receipts)
    after.recorder.record(after.conn, batch, after.table)
    after.close()
    assert lab.count_readings() == lab.count_in_blocks() == len(messages)


def test_only_receipts_that_a_broker_may_still_ask_for_are_kept(
    lab: Lab, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.recorder.KEPT_RECEIPTS", 5)
    for first in range(0, 12, 2):
        bench.take([undated_reading("T-0000", first), undated_reading("T-0000", first + 1)], NOW_US + first)
    after = Bench(lab)
    wanted = {find_digest(undated_reading("T-0000", k)) for k in range(6, 12)}
    assert set(after.recorder.receipts) == wanted
    after.close()
    bench.recorder.forget_used_receipts()
    assert set(bench.recorder.receipts) == wanted
    assert lab.value("SELECT count(*) FROM ingest_receipt") == 3


def test_two_writers_leave_no_gap_and_no_shard_out(lab: Lab) -> None:
    benches = [Bench(lab, f"writer {n}") for n in range(3)]
    problems: list[BaseException] = []

    def write(bench: Bench, number: int) -> None:
        try:
            for k in range(30):
                bench.take([telemetry(f"T-{i:04}", NOW_MS + 3 * k + number, level=1) for i in range(20)], NOW_US)
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(bench, n)) for n, bench in enumerate(benches)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems, problems
    assert lab.count_readings() == lab.count_in_blocks() == 3 * 30 * 20
    for bench in benches:
        bench.close()
