"""Any interleaving of repeated, delayed and reordered batches gives one table, and every value is accounted for."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.clock import from_micros
from ingest.message import Message
from store.device_days import DeviceDay, fold_ledger_blocks, load_device_days, load_ingest_states
from store.ledger import load_ledger
from tests.integration.ingest.lab import Bench, Lab, telemetry
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register

NOW_MS = 1_795_000_000_000
NOW_US = NOW_MS * 1000
SERIALS = ("T-0000", "T-0001")


@pytest.fixture(scope="module")
def shared_lab(postgres_server: DatabaseServer) -> Iterator[Lab]:
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(len(SERIALS)))
        yield Lab(database.url)


@pytest.fixture(scope="module")
def benches(shared_lab: Lab) -> Iterator[tuple[Bench, Bench]]:
    """Two processes."""
    both = (Bench(shared_lab, "one"), Bench(shared_lab, "two"))
    yield both
    for bench in both:
        bench.close()


class Epochs:
    """Each example has a stretch of time of its own, so that one table serves all."""

    used = 0

    @classmethod
    def begin(cls) -> int:
        cls.used += 1
        return NOW_MS - 300 * 86_400_000 + cls.used * 1_000


# What was published: device, time, value, and how often it is sent. Values of one time may differ.
readings = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=14
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Messages (device, time, value) in an order of delivery, and the sizes of the batches with the process of each."""
    sent = [(device, at, value) for device, at, value, times in draw(readings) for _ in range(times)]
    order = draw(st.permutations(sent))
    batches = []
    left = len(order)
    while left:
        size = draw(st.integers(1, left))
        batches.append((size, draw(st.integers(0, 1))))
        left -= size
    return order, batches


@given(deliveries())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_first_of_each_time_stays_whatever_comes_in_whatever_order(
    shared_lab: Lab, benches: tuple[Bench, Bench], delivery: tuple[list[tuple[int, int, int]], list[tuple[int, int]]]
) -> None:
    order, batches = delivery
    base_ms = Epochs.begin()
    before = load_total(benches[0])
    at = 0
    for size, process in batches:
        part = [telemetry(SERIALS[device], base_ms + t, level=value) for device, t, value in order[at : at + size]]
        benches[process].take(part, NOW_US)
        at += size
    first: dict[tuple[int, int], int] = {}
    repeats = 0
    for device, t, value in order:
        repeats += first.setdefault((device, t), value) == value and (device, t) in first
    repeats -= len(first)
    rows = shared_lab.query(
        """
        SELECT d.serial, r.observed_at, r.value FROM reading r
        JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
        WHERE r.observed_at >= %s AND r.observed_at < %s
        """,
        from_micros(base_ms * 1000),
        from_micros(base_ms * 1000) + timedelta(seconds=1),
    )
    found = {(row["serial"], row["observed_at"]): row["value"] for row in rows}
    assert found == {
        (SERIALS[device], from_micros((base_ms + t) * 1000)): float(value) for (device, t), value in first.items()
    }
    after = load_total(benches[0])
    gained = [b - a for a, b in zip(before, after, strict=True)]
    assert gained == [len(order), len(first), repeats, len(order) - len(first) - repeats]
    for bench in benches:
        bench.sightings.write(bench.conn)
    newest = shared_lab.query(
        "SELECT max(r.observed_at) AS at, s.last_observed_at FROM reading r JOIN series s "
        "ON s.id = r.series_id GROUP BY s.id, s.last_observed_at"
    )
    assert all(row["at"] == row["last_observed_at"] for row in newest), "the latest is the newest observed"


def load_total(bench: Bench) -> list[int]:
    """Received, stored, repeated and contradicting values: by the ledger, and, the same, by device."""
    day = from_micros(NOW_US).date()
    total = load_ledger(bench.conn, day, day)
    sums = [total.values_received, total.stored, total.duplicates, total.conflicts]
    days = load_device_days(bench.conn, day, day)
    assert sums == [sum(getattr(d, n) for d in days) for n in ("received", "stored", "duplicates", "conflicts")]
    fold_ledger_blocks(bench.conn, 3)
    return sums


def numbered(serial: str, seq: int, at_ms: int) -> Message:
    payload = b'{"ts": %d, "seq": %d, "values": {"level": 1}}' % (at_ms, seq)
    return Message(f"forewarn/v1/{serial}/telemetry".encode(), payload, 1, 0x32, len(payload))


@st.composite
def countings(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int, bool]]]:
    """Numbers that came, and their deliveries: number, process, whether the counts are folded after it. All is drawn
    here, so that what is drawn does not depend on what the shared table holds."""
    numbers = draw(st.lists(st.integers(1, 40), min_size=2, max_size=25, unique=True))
    order = draw(st.permutations(numbers + numbers[: len(numbers) // 2]))
    return numbers, [(number, draw(st.integers(0, 1)), draw(st.booleans())) for number in order]


@given(countings())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_numbers_that_never_came_are_missing_in_whatever_order_the_rest_came(
    benches: tuple[Bench, Bench], counting: tuple[list[int], list[tuple[int, int, bool]]]
) -> None:
    numbers, steps = counting
    base_ms = Epochs.begin() + 500
    device_id = benches[0].table.devices[SERIALS[0]].device_id
    day = from_micros(NOW_US).date()
    while fold_ledger_blocks(benches[0].conn):
        pass
    state = load_ingest_states(benches[0].conn, [device_id]).get(device_id)
    start = 1_000 if state is None or state.last_seq is None else state.last_seq
    (before,) = load_device_days(benches[0].conn, day, day, device_id) or [DeviceDay(day, device_id)]
    if state is None or state.last_seq is None:
        steps = [(0, 0, False), *steps]  # where counting begins
    for number, process, is_folded in steps:
        benches[process].take([numbered(SERIALS[0], start + number, base_ms + number)], NOW_US)
        if is_folded:
            fold_ledger_blocks(benches[0].conn)
    while fold_ledger_blocks(benches[0].conn):
        pass
    (after,) = load_device_days(benches[0].conn, day, day, device_id)
    missing = after.seq_missing - after.seq_filled - (before.seq_missing - before.seq_filled)
    assert missing == max(numbers) - len(numbers)
    assert after.seq_back == before.seq_back
    assert load_ingest_states(benches[0].conn, [device_id])[device_id].last_seq == start + max(numbers)
