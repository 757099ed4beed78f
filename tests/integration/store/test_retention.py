"""Retention: what is older than the setting goes, the oldest first and a bounded number at once; the rest stays."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from domain.clock import to_micros
from domain.reading import Rejection, RejectionReason
from service_link.ticks import remove_what_is_old
from store.decisions import record_decided_to
from store.installation_health import load_flow
from store.pool import open_connection
from store.rejections import record_rejections
from store.retention import PRUNED, remove_old_rejections, remove_old_rows, remove_old_scores
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


def test_reports_the_ledger_and_simulated_events_have_an_end(any_database: Database) -> None:
    register(any_database.url, PROFILE, make_devices(1))
    old, young = NOW - timedelta(days=40), NOW - timedelta(days=1)
    with psycopg.connect(any_database.owner_url, autocommit=True) as owner:
        for at in (old, young):
            owner.execute(
                "INSERT INTO status_report (device_id, observed_at, received_at, state) VALUES (1, %s, %s, 'online')",
                (at, at),
            )
            owner.execute(
                "INSERT INTO device_event (device_id, observed_at, received_at, code, severity) "
                "VALUES (1, %s, %s, 'E1', 'INFO')",
                (at, at),
            )
            owner.execute("INSERT INTO ingest_ledger (day, writer) VALUES (%s, 'w')", (at.date(),))
            for is_simulated in (True, False):
                owner.execute(
                    "INSERT INTO outbox (type, subject, entity, entity_id, body, is_simulated, created_at) "
                    "VALUES ('t', 's', 'e', '1', '{}', %s, %s)",
                    (is_simulated, at),
                )
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        for table in PRUNED:
            assert remove_old_rows(conn, table, NOW - timedelta(days=30), 100) == 1, table
            assert remove_old_rows(conn, table, NOW - timedelta(days=30), 100) == 0, table
        left = conn.execute("SELECT is_simulated, created_at FROM outbox ORDER BY id").fetchall()
    assert left == [(False, old), (True, young), (False, young)]


def test_how_many_breaches_wait_is_the_same_behind_what_is_decided(any_database: Database) -> None:
    register(any_database.url, PROFILE, make_devices(1))
    with psycopg.connect(any_database.owner_url, autocommit=True) as owner:
        owner.execute(
            """
            INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, first_seen,
                    raised_at, last_seen, count, peak, score, reason_code, params)
                SELECT gen_random_uuid(), 1, 'm', 1, 'LIMIT', 'MAJOR', 'g', 'ACTIVE', now(), now(), now(), 1, 1, 1, 'r',
                    '{}'
                FROM generate_series(1, 6);
            INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params,
                    recorded_at)
                SELECT id, 'RAISED', 'MAJOR', now(), now(), 1, 'r', '{}', now() - interval '2 hours' FROM breach;
            INSERT INTO ticket_decision (transition_id, decision, reason)
                SELECT id, 'NOTHING', 'r' FROM breach_transition WHERE id <> 4;
            """
        )
    with open_connection(any_database.url, application="test", autocommit=True) as conn:
        before = load_flow(conn)
        for _ in range(2):
            record_decided_to(conn)
            assert conn.execute("SELECT decided_to FROM triage_state").fetchone() == (3,)
        after = load_flow(conn)
        conn.execute("INSERT INTO ticket_decision (transition_id, decision, reason) VALUES (4, 'NOTHING', 'r')")
        record_decided_to(conn)
        assert conn.execute("SELECT decided_to FROM triage_state").fetchone() == (6,)
        assert load_flow(conn).transitions_waiting == 0
    assert before.transitions_waiting == after.transitions_waiting == 1
    assert before.oldest_waiting_at == after.oldest_waiting_at
