"""Blocks as ingest would write them, and what scoring made of them, for tests of scoring on a real database."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row

from anomaly.program import run
from anomaly.settings import AnomalySettings
from domain.clock import to_micros
from domain.report import Report
from store.blocks import NewBlock, encode_block, record_blocks
from store.heartbeats import record_heartbeat
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.registry import Registry, load_registry
from tests.support.waiting import wait_until

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one device."""

    serial: str
    sensor: str
    at_s: float  # after START
    value: float
    flags: int = 0


def write_blocks(url: str, samples: Sequence[Sample], reports: Sequence[Report] = (), received_s: float = 0.0) -> None:
    """One transaction as ingest makes it: the readings, and a block for every shard that they or the reports touch."""
    with psycopg.connect(url) as conn:
        registry = load_registry(conn)
        by_shard: dict[int, list[tuple[int, int, float, int]]] = {}
        for s in samples:
            device = registry.devices[s.serial]
            row = (device.series[s.sensor], to_micros(START + timedelta(seconds=s.at_s)), s.value, s.flags)
            by_shard.setdefault(device.shard, []).append(row)
        rows = [row for shard_rows in by_shard.values() for row in shard_rows]
        if rows:
            columns = ReadingColumns(*_columns(rows))
            ensure_partitions(conn, find_days(columns.observed_us))
            record_new_readings(conn, columns)
        shards = {d.id: d.shard for d in registry.devices.values()}
        touched = sorted({*by_shard, *(shards[r.device_id] for r in reports)})
        record_blocks(
            conn,
            [
                NewBlock(
                    shard=shard,
                    received_at=START + timedelta(seconds=received_s),
                    reading_count=len(by_shard.get(shard, [])),
                    payload=encode_block(*_columns(by_shard.get(shard, []))),
                    reports=[r for r in reports if shards[r.device_id] == shard],
                )
                for shard in touched
            ],
        )


def _columns(rows: Sequence[tuple[int, int, float, int]]) -> tuple[Any, Any, Any, Any]:
    return (
        np.array([r[0] for r in rows], dtype=np.int32),
        np.array([r[1] for r in rows], dtype=np.int64),
        np.array([r[2] for r in rows], dtype=np.float64),
        np.array([r[3] for r in rows], dtype=np.int16),
    )


def load_test_registry(url: str) -> Registry:
    """The registry as a program sees it."""
    with psycopg.connect(url) as conn:
        return load_registry(conn)


def say_ingest_lives(url: str) -> None:
    """The heartbeat without which silence is not held against a device."""
    with psycopg.connect(url) as conn:
        record_heartbeat(conn, "ingest", "test", datetime.now(UTC), {})


@contextmanager
def scoring(
    url: str, *, instance: str = "a", checkpoint_s: float = 0.2, poll_s: float = 0.1
) -> Iterator[threading.Event]:
    """The scoring program in a thread; set the event to stop it early. An error in it fails the test."""
    stop = threading.Event()
    failures: list[BaseException] = []
    settings = AnomalySettings(
        url, instance=instance, checkpoint_s=checkpoint_s, poll_s=poll_s, heartbeat_s=0.2, tick_s=0.1
    )

    def body() -> None:
        try:
            run(settings, stop)
        except BaseException as error:  # noqa: BLE001  raised again in the test's thread
            failures.append(error)

    thread = threading.Thread(target=body, name=f"anomaly {instance}")
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=60)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def select(url: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """The rows of a query."""
    with psycopg.connect(url, row_factory=dict_row) as conn:
        return conn.execute(query.encode(), arguments).fetchall()


def wait_until_scored(url: str, timeout_s: float = 30.0) -> None:
    """Returns when every block was scored."""
    wait_until(
        lambda: not select(url, "SELECT 1 FROM shard WHERE consumed < head"), what="scoring", timeout_s=timeout_s
    )
