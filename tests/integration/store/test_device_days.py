"""Ledger blocks are folded once, and can be read as device days before and after."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from domain.clock import to_micros
from store.device_days import (
    DeviceDay,
    fold_ledger_blocks,
    load_device_days,
    load_ingest_states,
    remove_old_device_days,
)
from store.ledger_blocks import COUNTED, DELAYS, NO_DEVICE, RUNS, LedgerBlock, record_ledger_block
from store.pool import Connection, open_connection
from tests.support.databases import Database

DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOON_US = to_micros(NOON)
SECOND_US = 1_000_000


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        yield opened


def _block(*devices: dict[str, int], received_us: int = NOON_US, runs: Sequence[tuple[int, ...]] = ()) -> LedgerBlock:
    counts = [[device.get(name, 0) for device in devices] for name in COUNTED]
    delays = [(device["device_id"], device["delay_us"]) for device in devices if "delay_us" in device]
    return LedgerBlock(
        received_us,
        np.array(counts, dtype=np.int64).reshape(len(COUNTED), len(devices)),
        np.array(delays, dtype=np.int64).reshape(len(delays), len(DELAYS)).T,
        np.array(runs, dtype=np.int64).reshape(len(runs), len(RUNS)).T,
    )


def test_what_is_not_folded_yet_counts_and_is_folded_once(conn: Connection) -> None:
    record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 1, "stored": 5, "late": 2}))
    record_ledger_block(
        conn,
        "b",
        DAY,
        _block(
            {"device_id": NO_DEVICE, "messages": 1, "rejected": 1},
            {"device_id": 4, "messages": 2, "duplicates": 3, "conflicts": 1, "rejected": 2, "inconsistent": 2},
        ),
    )
    record_ledger_block(conn, "a", DAY + timedelta(days=1), _block({"device_id": 4, "messages": 1, "stored": 1}))
    expected = [
        DeviceDay(DAY, NO_DEVICE, 1, 1, rejected=1),
        DeviceDay(DAY, 4, 3, 11, 5, 3, 1, 2, 2, inconsistent=2),
        DeviceDay(DAY + timedelta(days=1), 4, 1, 1, 1),
    ]
    assert load_device_days(conn, DAY, DAY + timedelta(days=1)) == expected
    assert fold_ledger_blocks(conn, most=2) == 2
    assert load_device_days(conn, DAY, DAY + timedelta(days=1)) == expected
    assert fold_ledger_blocks(conn) == 1
    assert fold_ledger_blocks(conn) == 0
    assert load_device_days(conn, DAY, DAY + timedelta(days=1)) == expected
    record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 1, "stored": 7}))
    assert load_device_days(conn, DAY, DAY, 4) == [DeviceDay(DAY, 4, 4, 18, 12, 3, 1, 2, 2, inconsistent=2)]
    assert fold_ledger_blocks(conn) == 1
    assert load_device_days(conn, DAY, DAY, 4) == [DeviceDay(DAY, 4, 4, 18, 12, 3, 1, 2, 2, inconsistent=2)]
    assert remove_old_device_days(conn, DAY + timedelta(days=1), 100) == 2
    assert load_device_days(conn, DAY, DAY) == []


def test_a_fold_that_is_cut_off_leaves_everything_as_it_was(conn: Connection) -> None:
    record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 1, "stored": 5, "delay_us": 9}))
    with conn.transaction(force_rollback=True):
        assert fold_ledger_blocks(conn) == 1
    assert load_ingest_states(conn) == {}
    assert conn.execute("SELECT count(*) FROM ledger_block").fetchone() == (1,)
    assert fold_ledger_blocks(conn) == 1
    assert load_device_days(conn, DAY, DAY) == [DeviceDay(DAY, 4, 1, 5, 5)]


def test_only_one_process_folds_at_a_time(conn: Connection, any_database: Database) -> None:
    record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 1, "stored": 5}))
    with open_connection(any_database.url, application="test", autocommit=True) as other, conn.transaction():
        assert fold_ledger_blocks(conn) == 1
        assert fold_ledger_blocks(other) == 0
        assert load_device_days(other, DAY, DAY) == [DeviceDay(DAY, 4, 1, 5, 5)]


def test_counters_of_two_processes_are_put_together(conn: Connection) -> None:
    def run(device_id: int, *numbers: int) -> tuple[int, ...]:
        times = [NOON_US + n * SECOND_US for n in numbers]
        return (device_id, min(numbers), max(numbers), len(numbers), min(times), max(times))

    for runs in ([run(4, 1, 3, 5)], [run(4, 2, 4, 7)]):
        record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 3, "stored": 3}, runs=runs))
    fold_ledger_blocks(conn)
    (day,) = load_device_days(conn, DAY, DAY)
    assert (day.seq_missing - day.seq_filled, day.seq_back) == (1, 0), "6 has not come"
    state = load_ingest_states(conn, [4])[4]
    assert (state.last_seq, state.last_seq_observed_at) == (7, NOON + timedelta(seconds=7))
    record_ledger_block(conn, "a", DAY, _block({"device_id": 4, "messages": 1, "stored": 1}, runs=[run(4, 6)]))
    fold_ledger_blocks(conn)
    (day,) = load_device_days(conn, DAY, DAY)
    assert day.seq_missing == day.seq_filled


def test_a_clock_that_is_ahead_is_found_at_once_and_one_behind_when_it_stays_so(conn: Connection) -> None:
    for minute in range(3):
        received_us = NOON_US + minute * 60 * SECOND_US
        devices: tuple[dict[str, int], ...] = (
            {"device_id": 4, "messages": 1, "stored": 1, "delay_us": -40 * SECOND_US},
            {"device_id": 5, "messages": 1, "stored": 1, "delay_us": 90 * SECOND_US},
            {"device_id": 6, "messages": 1, "stored": 1, "delay_us": (3 - minute) * 600 * SECOND_US},
        )
        record_ledger_block(conn, "a", DAY, _block(*devices, received_us=received_us))
        fold_ledger_blocks(conn)
        states = load_ingest_states(conn)
        assert states[4].skew_s == 40.0
        assert states[4].skew_at == NOON + timedelta(minutes=minute)
        assert states[5].skew_s == (None if not minute else -90.0)
        assert states[6].skew_s is None, "it sends what it has kept"
