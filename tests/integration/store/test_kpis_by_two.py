"""Key figures counted by two connections are those that one counts: of one snapshot, also where only one is free."""

from collections.abc import Iterator
from typing import Any

import pytest

from domain.kpi import KpiQuery, KpiSource
from domain.kpi_catalogue import KPIS
from domain.kpi_period import find_buckets
from store import kpis as counting
from store.kpi_facts import SourceSums
from store.kpis import load_counted, load_counted_by_two
from store.pool import Pool, abandon_pool, open_pool
from tests.support.databases import Database
from tests.support.kpis import DAY, HOUR, KpiWorld, open_kpi_world
from tests.support.service_world import NOW

EVERY = {source for kpi in KPIS for source in kpi.sources}
QUERY = KpiQuery(find_buckets(NOW - 60 * DAY, NOW, None), NOW, frozenset())


@pytest.fixture
def kpis(database: Database) -> Iterator[KpiWorld]:
    with open_kpi_world(database.url) as opened:
        for n in range(4):
            opened.add_order("SN-1", NOW - (n + 1) * DAY)
            opened.add_breach("SN-1", NOW - (n + 1) * DAY)
        yield opened


@pytest.mark.parametrize("size", [1, 2])
def test_two_count_what_one_counts(kpis: KpiWorld, database: Database, size: int) -> None:
    pool = open_pool(database.url, application="test", size=size)
    try:
        with pool.connection() as conn:
            wanted = load_counted(conn, EVERY, QUERY)
        assert wanted[KpiSource.ALARM_ORIGIN]
        assert load_counted_by_two(pool, EVERY, QUERY) == wanted
    finally:
        abandon_pool(pool)


def test_both_see_one_snapshot(kpis: KpiWorld, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    count = counting._count_beside

    def change_before(pool: Pool, *more: Any) -> SourceSums | None:
        kpis.add_breach("SN-2", NOW - HOUR)  # committed after the first connection's snapshot, before the second's
        return count(pool, *more)

    monkeypatch.setattr(counting, "_count_beside", change_before)
    pool = open_pool(database.url, application="test", size=2)
    try:
        with pool.connection() as conn:
            before = load_counted(conn, EVERY, QUERY)
        assert load_counted_by_two(pool, EVERY, QUERY) == before
        with pool.connection() as conn:
            assert load_counted(conn, EVERY, QUERY) != before
    finally:
        abandon_pool(pool)
