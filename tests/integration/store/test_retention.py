"""Retention: what is older than the setting goes, the oldest first and a bounded number at once; the rest stays."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.clock import to_micros
from domain.reading import Rejection, RejectionReason
from service_link.ticks import remove_what_is_old
from store.pool import open_connection
from store.rejections import record_rejections
from store.retention import remove_old_rejections, remove_old_scores
from store.scores import MinuteScore, record_scores
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAYS = (0, 9, 10, 11, 500)


@pytest.fixture
def url(any_database: Database) -> str:
    """A score and a rejection of today and of 9, 10, 11 and 500 days ago."""
    register(any_database.url, PROFILE, make_devices(1))
    times = [NOW - timedelta(days=days) for days in DAYS]
    with open_connection(any_database.url, application="test") as conn:
        record_scores(conn, [MinuteScore(1, to_micros(at), "m", 1.0, 1.0, 1) for at in times])
        record_rejections(
            conn, [Rejection(at, "t", None, RejectionReason.EMPTY, None, "the message is empty", b"") for at in times]
        )
    return any_database.url


def _load_ages(url: str) -> tuple[list[int], list[int]]:
    with open_connection(url, application="test") as conn:
        scores = [(NOW - at).days for (at,) in conn.execute("SELECT minute FROM score_rollup ORDER BY 1 DESC")]
        rejections = [(NOW - at).days for (at,) in conn.execute("SELECT received_at FROM rejection ORDER BY 1 DESC")]
    return scores, rejections


def test_scores_and_rejections_go_with_the_readings(url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        assert remove_what_is_old(conn, NOW, 10) == 4
        assert remove_what_is_old(conn, NOW, 10) == 0
    assert _load_ages(url) == ([0, 9, 10], [0, 9, 10])


def test_nothing_goes_where_readings_are_kept_for_ever(url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        assert remove_what_is_old(conn, NOW, 0) == 0
    assert _load_ages(url) == (list(DAYS), list(DAYS))


def test_the_oldest_go_first_and_no_more_than_asked_for(url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        assert remove_old_scores(conn, NOW, 1) == 1
        assert remove_old_rejections(conn, NOW, 1) == 1
    assert _load_ages(url) == ([0, 9, 10, 11], [0, 9, 10, 11])
