"""Score roll-ups: minutes are joined, and no score whatever its size stops the round that brings it."""

import math

import pytest

from store.pool import open_connection
from store.scores import MinuteScore, record_scores
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

LOAD = "SELECT max_score::float8, mean_score::float8, n FROM score_rollup ORDER BY minute"
MINUTE_US = 1_795_305_600_000_000


@pytest.fixture
def url(database: Database) -> str:
    """A database with one device."""
    register(database.url, PROFILE, make_devices(1))
    return database.url


def test_minutes_that_come_in_parts_are_joined(url: str) -> None:
    with open_connection(url, application="test") as conn:
        record_scores(conn, [MinuteScore(1, MINUTE_US, "m", 3.0, 1.0, 1)])
        record_scores(conn, [MinuteScore(1, MINUTE_US, "m", 2.0, 2.0, 3)])
        assert conn.execute(LOAD).fetchall() == [(3.0, 1.75, 4)]


@pytest.mark.parametrize("score", [1e-48, 5e-324, -1e-60, 1e39, 1.7e308, -1e300, math.inf])
def test_a_score_that_no_real_holds_is_brought_into_range(url: str, score: float) -> None:
    with open_connection(url, application="test") as conn:
        for n in (1, 1_000_000_000):
            record_scores(conn, [MinuteScore(1, MINUTE_US, "m", score, score, n)])
        [(largest, mean, n)] = conn.execute(LOAD).fetchall()
        assert n == 1_000_000_001
        for stored in (largest, mean):
            assert stored == 0 if abs(score) < 1 else stored == pytest.approx(math.copysign(1e38, score))
