"""A storm of everything that can be wrong with input, beside good readings: the good are stored, the bad are listed."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from domain.reading import RejectionReason as Reason
from tests.support.brokers import mosquitto_broker
from tests.support.databases import TIMESCALE_VARIABLE, DatabaseServer
from tests.support.fleet import SCENARIO_PROFILE, make_devices
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline, make_reading, telemetry_topic
from tests.support.services import miss

UNKNOWN_SERIALS = 10_000
GOOD_MESSAGES = 3_000
MIB = 1 << 20
SERIAL = "T-0000"
TELEMETRY = telemetry_topic(SERIAL)
BASE = "forewarn/v1"


@pytest.fixture(scope="module", params=["postgresql", pytest.param("timescale", marks=pytest.mark.timescale)])
def pipeline(
    request: pytest.FixtureRequest,
    database_servers: dict[str, DatabaseServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pipeline]:
    """A pipeline whose rejections are this module's alone; each test counts from where it began."""
    flavour: str = request.param
    if flavour == "timescale" and not os.environ.get(TIMESCALE_VARIABLE):
        miss(f"{TIMESCALE_VARIABLE} names no server with TimescaleDB")
    with (
        database_servers[flavour].fresh_database() as database,
        mosquitto_broker() as mosquitto,
        running_pipeline(
            tmp_path_factory.mktemp("bad_input"),
            database,
            mosquitto.port,
            make_devices(3, gateway="G"),
            profile=SCENARIO_PROFILE,
        ) as running,
    ):
        running.wait_until_ready()
        yield running


def count_rejections(pipeline: Pipeline) -> int:
    return int(pipeline.value("SELECT count(*) FROM rejection"))


def _values(text: str) -> bytes:
    return b'{"ts": %d, "values": {"level": %s}}' % (_millis(), text.encode())


def _at(text: str) -> bytes:
    return b'{"ts": %s, "values": {"level": 50.0}}' % text.encode()


def _millis() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


# What stands in a message of its own, and the reasons that name it rightly.
REJECTED: dict[str, tuple[str, bytes, set[Reason]]] = {
    "empty": (TELEMETRY, b"", {Reason.EMPTY}),
    "cut off": (TELEMETRY, b'{"ts": 17630', {Reason.NOT_JSON}),
    "not JSON": (TELEMETRY, b"temperature=36.6", {Reason.NOT_JSON}),
    "zero bytes": (TELEMETRY, b"\x00" * 64, {Reason.NOT_JSON}),
    "invalid UTF-8": (TELEMETRY, b'{"ts": 1, "values": {"l\xff\xfe": 1}}', {Reason.NOT_UTF8}),
    "UTF-16": (TELEMETRY, '{"values": {"level": 1}}'.encode("utf-16"), {Reason.NOT_UTF8, Reason.NOT_JSON}),
    "deeply nested": (TELEMETRY, b"[" * 100_000, {Reason.NOT_JSON, Reason.WRONG_SHAPE}),
    "null": (TELEMETRY, b"null", {Reason.WRONG_SHAPE}),
    "a number": (TELEMETRY, b"5", {Reason.WRONG_SHAPE}),
    "a text": (TELEMETRY, b'"level"', {Reason.WRONG_SHAPE}),
    "a list of a number": (TELEMETRY, b"[1]", {Reason.WRONG_SHAPE}),
    "no values": (TELEMETRY, b'{"ts": 1}', {Reason.WRONG_SHAPE, Reason.EMPTY}),
    "values is a list": (TELEMETRY, b'{"values": [1, 2]}', {Reason.WRONG_SHAPE}),
    "value is a text": (TELEMETRY, _values('"high"'), {Reason.NOT_A_NUMBER}),
    "value is null": (TELEMETRY, _values("null"), {Reason.NOT_A_NUMBER}),
    "value is an object": (TELEMETRY, _values("{}"), {Reason.NOT_A_NUMBER, Reason.WRONG_SHAPE}),
    "NaN": (TELEMETRY, _values("NaN"), {Reason.NOT_JSON, Reason.NOT_A_NUMBER}),
    "NaN as text": (TELEMETRY, _values('"NaN"'), {Reason.NOT_A_NUMBER}),
    "Infinity": (
        TELEMETRY,
        _values("-Infinity"),
        {Reason.NOT_JSON, Reason.NOT_A_NUMBER, Reason.OUT_OF_PHYSICAL_RANGE},
    ),
    "beyond a double": (
        TELEMETRY,
        _values("1e400"),
        {Reason.NOT_JSON, Reason.NOT_A_NUMBER, Reason.OUT_OF_PHYSICAL_RANGE},
    ),
    "huge": (TELEMETRY, _values("1e308"), {Reason.OUT_OF_PHYSICAL_RANGE}),
    "a number of 5,000 digits": (
        TELEMETRY,
        _values("9" * 5_000),
        {Reason.NOT_JSON, Reason.NOT_A_NUMBER, Reason.OUT_OF_PHYSICAL_RANGE},
    ),
    "below the physical range": (TELEMETRY, _values("-0.5"), {Reason.OUT_OF_PHYSICAL_RANGE}),
    "1970": (TELEMETRY, _at("0"), {Reason.TOO_OLD, Reason.BAD_TIMESTAMP}),
    "before 1970": (TELEMETRY, _at("-1"), {Reason.TOO_OLD, Reason.BAD_TIMESTAMP}),
    "2100": (TELEMETRY, _at("4102444800000"), {Reason.FROM_THE_FUTURE}),
    "beyond all calendars": (TELEMETRY, _at("1e300"), {Reason.BAD_TIMESTAMP, Reason.FROM_THE_FUTURE}),
    "an instant of 400 digits": (
        TELEMETRY,
        _at("9" * 400),
        {Reason.NOT_JSON, Reason.BAD_TIMESTAMP, Reason.FROM_THE_FUTURE},
    ),
    "yesterday": (TELEMETRY, _at('"yesterday"'), {Reason.BAD_TIMESTAMP}),
    "no time zone": (TELEMETRY, _at('"2026-11-22T10:00:00"'), {Reason.BAD_TIMESTAMP}),
    "the 31st of February": (TELEMETRY, _at('"2026-02-31T10:00:00Z"'), {Reason.BAD_TIMESTAMP}),
    "time is true": (TELEMETRY, _at("true"), {Reason.BAD_TIMESTAMP}),
    "unknown sensor": (TELEMETRY, b'{"values": {"levle": 50}}', {Reason.UNKNOWN_SENSOR}),
    "a zero byte in a sensor": (TELEMETRY, b'{"values": {"le\\u0000vel": 50}}', {Reason.UNKNOWN_SENSOR}),
    "half a surrogate": (TELEMETRY, b'{"values": {"\\ud800": 50}}', {Reason.NOT_JSON, Reason.UNKNOWN_SENSOR}),
    "a sensor of 100 KB": (TELEMETRY, b'{"values": {"%s": 50}}' % (b"x" * 100_000), {Reason.UNKNOWN_SENSOR}),
    "another unit": (TELEMETRY, b'{"values": {"level": 50}, "units": {"level": "kg"}}', {Reason.UNIT_MISMATCH}),
    "more than 1 MiB": (TELEMETRY, _values("50" + " " * MIB), {Reason.TOO_LARGE}),
    "10,001 values": (
        TELEMETRY,
        json.dumps([{"ts": 1_763_000_000_000 + i, "values": {"level": 50}} for i in range(10_001)]).encode(),
        {Reason.TOO_MANY_VALUES},
    ),
    "unknown serial": (telemetry_topic("NOBODY"), _values("50"), {Reason.UNKNOWN_SERIAL}),
    "a serial that is none": (telemetry_topic("' OR 1=1 --"), _values("50"), {Reason.UNKNOWN_SERIAL}),
    "a serial of 5,000 letters": (telemetry_topic("x" * 5_000), _values("50"), {Reason.UNKNOWN_SERIAL}),
    "a serial in Chinese": (telemetry_topic("泵-0001"), _values("50"), {Reason.UNKNOWN_SERIAL}),
    "a gateway's list": (f"{BASE}/gateway/G/telemetry", b"[1]", {Reason.WRONG_SHAPE}),
    "a zero byte in a serial": (
        f"{BASE}/gateway/G/telemetry",
        b'{"T\\u0000": [{"values": {"level": 1}}]}',
        {Reason.UNKNOWN_SERIAL},
    ),
    "firmware without a version": (
        f"{BASE}/{SERIAL}/firmware",
        b'{"component": "main", "state": "UPDATED"}',
        {Reason.WRONG_SHAPE},
    ),
    "firmware in no state": (
        f"{BASE}/{SERIAL}/firmware",
        b'{"component": "main", "version": "1", "state": "SHINY"}',
        {Reason.WRONG_SHAPE},
    ),
    "event of no severity": (f"{BASE}/{SERIAL}/event", b'{"code": "E1", "severity": "BAD"}', {Reason.WRONG_SHAPE}),
    "event that is a number": (f"{BASE}/{SERIAL}/event", b"7", {Reason.WRONG_SHAPE}),
    "status of no state": (f"{BASE}/{SERIAL}/status", b'{"state": "tired"}', {Reason.WRONG_SHAPE}),
}  # fmt: skip


def test_a_storm_of_bad_input_harms_nobody(pipeline: Pipeline) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=600)
    good = [
        (telemetry_topic("T-0001"), make_reading(start + timedelta(milliseconds=100 * k), {"level": 50.0, "number": k}))
        for k in range(GOOD_MESSAGES)
    ]
    strangers = [
        (telemetry_topic(f"STRANGER-{i:05d}"), make_reading(start, {"level": 50.0})) for i in range(UNKNOWN_SERIALS)
    ]
    bad = [(topic, payload) for topic, payload, _ in REJECTED.values()]
    pipeline.publish(_interleave(good, [*bad, *strangers, *bad]))

    pipeline.wait_until_drained(readings=2 * GOOD_MESSAGES)
    wanted = UNKNOWN_SERIALS + 2 * len(bad)
    with suppress(AssertionError):  # which ones are missing is told below
        pipeline.wait_for("SELECT count(*) >= %s FROM rejection", wanted, what="rejections")
    pipeline.programs.assert_running()
    _check_reasons(pipeline)

    assert pipeline.count_readings() == 2 * GOOD_MESSAGES
    numbers = pipeline.query(
        "SELECT r.value FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id"
        " WHERE d.serial = 'T-0001' AND s.sensor = 'number' ORDER BY r.observed_at"
    )
    assert [row["value"] for row in numbers] == list(range(GOOD_MESSAGES))
    assert pipeline.value("SELECT count(*) FROM rejection") == wanted
    strange = pipeline.query(
        "SELECT count(*) AS rows, count(DISTINCT serial) AS serials, array_agg(DISTINCT reason) AS reasons"
        " FROM rejection WHERE serial LIKE 'STRANGER-%%'"
    )
    assert strange == [{"rows": UNKNOWN_SERIALS, "serials": UNKNOWN_SERIALS, "reasons": ["unknown_serial"]}]
    assert pipeline.value("SELECT count(*) FROM breach") == 0
    assert pipeline.value("SELECT count(*) FROM device") == 4, "nobody is registered by writing"
    _check_ledger(pipeline)


def _check_reasons(pipeline: Pipeline) -> None:
    rows = pipeline.query(
        "SELECT topic, payload, reason, detail FROM rejection WHERE serial NOT LIKE 'STRANGER-%%' OR serial IS NULL"
    )
    wrong: list[str] = []
    for name, (topic, payload, reasons) in REJECTED.items():
        found = Counter(
            row["reason"]
            for row in rows
            # What is too large may be kept cut off.
            if topic.startswith(row["topic"].rstrip("…")) and _is_same(bytes(row["payload"]), payload)
        )
        if found.total() != 2 or not set(found) <= {reason.value for reason in reasons}:
            wrong.append(f"{name}: {dict(found)} instead of twice {sorted(reasons)}")
    assert wrong == []
    assert all(row["detail"] for row in rows)


def _is_same(kept: bytes, sent: bytes) -> bool:
    return kept == sent or (len(kept) >= 1_000 and sent.startswith(kept))


def _check_ledger(pipeline: Pipeline) -> None:
    (ledger,) = pipeline.query(
        "SELECT sum(values_received)::bigint AS received, sum(stored)::bigint AS stored,"
        " sum(duplicates + conflicts + rejected)::bigint AS other FROM ingest_ledger"
    )
    assert ledger["stored"] == pipeline.value("SELECT count(*) FROM reading")
    assert ledger["received"] == ledger["stored"] + ledger["other"]


def _interleave(some: list[tuple[str, bytes]], others: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    every = max(1, len(others) // len(some))
    out: list[tuple[str, bytes]] = []
    rest = iter(others)
    for message in some:
        out.append(message)
        out += islice(rest, every)
    return [*out, *rest]


def test_what_is_good_in_a_mixed_message_is_stored(pipeline: Pipeline) -> None:
    at = _millis()
    body = {
        "T-0000": [
            {"ts": at, "values": {"level": 50.0, "flow": "fast", "number": 1}},
            {"ts": "never", "values": {"level": 51.0}},
            {"ts": at + 1, "values": {"level": 52.0}},
        ],
        "NOBODY": [{"ts": at, "values": {"level": 1}}],
        "T-0001": {"ts": at, "values": {"level": 53.0, "color": 7}},
        "T-0002": 17,
    }
    readings, last = pipeline.count_readings(), pipeline.value("SELECT coalesce(max(id), 0) FROM rejection")
    pipeline.publish([(f"{BASE}/gateway/G/telemetry", json.dumps(body).encode())])
    pipeline.wait_until_drained(readings=readings + 4)
    pipeline.wait_for("SELECT count(*) >= 5 FROM rejection WHERE id > %s", last, what="the rejections")
    assert pipeline.count_readings() == readings + 4
    reasons = Counter(row["reason"] for row in pipeline.query("SELECT reason FROM rejection WHERE id > %s", last))
    assert reasons == {
        "not_a_number": 1,
        "bad_timestamp": 1,
        "unknown_serial": 1,
        "unknown_sensor": 1,
        "wrong_shape": 1,
    }


def test_a_message_of_exactly_one_mebibyte_is_taken(pipeline: Pipeline) -> None:
    payload = _values("50")
    readings, rejections = pipeline.count_readings(), count_rejections(pipeline)
    pipeline.publish([(TELEMETRY, payload + b" " * (MIB - len(payload)))])
    pipeline.wait_until_drained(readings=readings + 1)
    assert count_rejections(pipeline) == rejections


def test_an_event_with_a_zero_byte_does_not_stop_the_rest(pipeline: Pipeline) -> None:
    event = b'{"code": "E1042", "severity": "MAJOR", "message": "bad\\u0000text"}'
    either = "SELECT (SELECT count(*) FROM device_event) + (SELECT count(*) FROM rejection)"
    readings, before = pipeline.count_readings(), pipeline.value(either)
    pipeline.publish([(f"{BASE}/{SERIAL}/event", event), (TELEMETRY, _values("50"))])
    pipeline.wait_until_drained(readings=readings + 1)
    pipeline.wait_for(f"{either} > %s", before, what="the event to be stored or listed")
    pipeline.programs.assert_running()
