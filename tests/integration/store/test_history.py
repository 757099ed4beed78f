"""History in slices: every reading once and in order, whatever its density, on each flavour of the store."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from domain.clock import to_micros
from store.history import HistoryLevel, iterate_history, load_history_span
from store.pool import Connection, open_connection
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.rollup_refresh import refresh_rollups
from tests.support.databases import Database

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=2)


def _record(conn: Connection) -> ReadingColumns:
    """Three series: one each five minutes, one for a quarter of an hour each second, one that nobody asks for."""
    slow = np.arange(0, 2 * 86_400, 300)
    dense = 50_000 + np.arange(900)
    series = np.concatenate((np.full(slow.size, 1), np.full(dense.size, 2), np.full(slow.size, 3))).astype(np.int32)
    at_us = to_micros(START) + np.concatenate((slow, dense, slow)).astype(np.int64) * 1_000_000
    value = np.random.default_rng(1).normal(0.0, 1.0, series.size)
    columns = ReadingColumns(series, at_us, value, np.zeros(series.size, dtype=np.int16))
    with conn.transaction():
        ensure_partitions(conn, find_days(at_us))
    with conn.transaction():
        record_new_readings(conn, columns)
    return columns


@pytest.mark.parametrize("most_rows", [10, 100, 1_000_000])
def test_every_reading_comes_once_and_in_order(any_database: Database, most_rows: int) -> None:
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        stored = _record(conn)
        slices = list(iterate_history(conn, [2, 1], START, END, most_rows=most_rows))
    assert slices[0].since == START
    assert slices[-1].until == END
    assert all(a.until == b.since for a, b in pairwise(slices))
    assert max(len(s.columns) for s in slices) <= max(2 * most_rows, 1)
    wanted = stored.series_id < 3
    order = np.lexsort((stored.series_id[wanted], stored.observed_us[wanted]))
    for name in ("series_id", "observed_us", "value"):
        found = np.concatenate([getattr(s.columns, name) for s in slices])
        assert np.array_equal(found, getattr(stored, name)[wanted][order]), name


def test_hours_are_the_means_of_their_readings_at_their_end(database: Database) -> None:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        stored = _record(conn)
        refresh_rollups(conn, END + timedelta(days=1), lambda: True)
        slices = list(iterate_history(conn, [1], START, END, level=HistoryLevel.HOUR))
    found = np.concatenate([s.columns.value for s in slices])
    assert np.concatenate([s.columns.observed_us for s in slices])[0] == to_micros(START + timedelta(hours=1))
    assert found == pytest.approx(stored.value[stored.series_id == 1].reshape(48, 12).mean(axis=1))


def test_the_span_of_what_was_never_sent_is_none(database: Database) -> None:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        _record(conn)
        assert load_history_span(conn, [7]) is None
        assert load_history_span(conn, [1, 2]) == (START, END - timedelta(seconds=300) + timedelta(microseconds=1))
