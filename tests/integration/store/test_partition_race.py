"""Two programs want the partition of the same new day at the same moment: one makes it, the other finds it."""

from datetime import date
from threading import Thread

import psycopg

from tests.support.databases import Database
from tests.support.waiting import wait_until

DAY = date(2031, 5, 17)
ENSURE = "SELECT ensure_reading_partitions(%s)"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_the_second_writer_of_a_day_waits_and_finds_the_partition(database: Database) -> None:
    answers: list[object] = []

    def ensure_second() -> None:
        try:
            with psycopg.connect(database.url) as conn:
                answers.append(conn.execute(ENSURE, ([DAY],)).fetchone())
        except psycopg.Error as problem:
            answers.append(problem)

    with psycopg.connect(database.url) as first, psycopg.connect(database.url, autocommit=True) as watcher:
        assert first.execute(ENSURE, ([DAY],)).fetchone() == (1,)
        second = Thread(target=ensure_second)
        second.start()
        wait_until(lambda: watcher.execute(WAITING).fetchone() == (1,), what="the second writer to wait")
        first.commit()
        second.join(60)
    assert answers == [(0,)]
