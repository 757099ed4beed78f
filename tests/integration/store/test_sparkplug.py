"""Edge nodes in the store, and who may write them."""

from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from store.pool import open_connection
from store.sparkplug import StoredEdge, begin_term, load_edges, load_term, record_edges, try_to_own
from tests.support.databases import Database
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EDGE = StoredEdge(
    group_id="g",
    edge_id="e\N{SNOWMAN}",
    epoch=3,
    is_alive=True,
    bd_seq=(1 << 63) - 1,
    former_bd_seq=None,
    seq=255,
    births_due=True,
    asked_us=1_795_305_600_000_000,
    asks=2,
    recent=bytes(range(256)) * 2,
    births=b'{"node": "\\u0000"}',
)


def test_edges_come_back_as_they_were(any_database: Database) -> None:
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        other = replace(EDGE, edge_id="f", bd_seq=None, seq=None, births=b"")
        record_edges(conn, [EDGE, other], NOW)
        assert load_edges(conn) == [EDGE, other]

        moved = replace(EDGE, seq=0, epoch=4, is_alive=False, recent=b"", births=None)
        record_edges(conn, [moved], NOW)
        assert load_edges(conn) == [replace(moved, births=EDGE.births), other], "what was declared stays"

        reborn = replace(EDGE, births=b"{}", former_bd_seq=7)
        record_edges(conn, [reborn, replace(other, births=None, asks=9)], NOW)
        assert load_edges(conn) == [reborn, replace(other, asks=9)]

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM sparkplug_edge")


def test_one_owner_at_a_time(database: Database) -> None:
    with open_connection(database.url, application="one", autocommit=True) as one:
        assert try_to_own(one)
        assert begin_term(one, "one") == 1
        with open_connection(database.url, application="two", autocommit=True) as two:
            assert not try_to_own(two)
            one.close()
            wait_until(lambda: try_to_own(two), what="the server to notice that the first one is gone")
            assert begin_term(two, "two") == 2
            assert load_term(two) == 2
