"""The stream of changes: in order, once, nothing skipped, nobody else's."""

import threading
from contextlib import aclosing

import psycopg
import pytest

from api.change_news import Audience, News
from api.routes import events
from api.state import now
from api.stream_hub import Subscription
from domain.change_position import Position, Snapshot, parse_position
from domain.roles import Role
from store.change_log import (
    Change,
    ChangeBatch,
    follow_changes,
    load_changes,
    load_now,
    reaches_back,
    remove_changes_before,
)
from store.pool import Connection, open_connection
from tests.support.databases import Database
from tests.support.event_stream import Stream, following
from tests.support.http_api import Api, find_errors, running_api
from tests.support.waiting import wait_until


def touch(api: Api, serial: str, connectivity: str = "ONLINE") -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET connectivity = %s WHERE serial = %s", (connectivity, serial))


def find_place(event_id: str) -> Snapshot:
    position = parse_position(event_id)
    assert position is not None
    return position.seen


def test_changes_arrive_and_a_returning_client_misses_none(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with following(api, headers) as stream:
        first, name, _ = stream.next()
        assert name == "ready"
        touch(api, "T-0000")
        seen, name, data = stream.next()
        assert (name, data["id"], data["version"]) == ("device", "T-0000", 1)
    touch(api, "T-0001")
    touch(api, "T-0002")
    with following(api, headers, last=seen) as stream:
        assert [stream.next_entity(), stream.next_entity()] == ["T-0001", "T-0002"]
        touch(api, "T-0003")
        assert stream.next_entity() == "T-0003"
        wait_until(lambda: stream.comments > 1, what="heartbeats")
    assert find_place(first) < find_place(seen)


def test_a_transaction_that_commits_late_is_not_skipped_and_nobody_waits_for_it(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with following(api, headers) as stream, psycopg.connect(api.settings.database_url) as late:
        stream.next()
        late.execute("UPDATE device SET connectivity = 'STALE' WHERE serial = 'T-0000'")  # takes the lower id
        touch(api, "T-0001")
        between, _, data = stream.next()
        assert data["id"] == "T-0001"
        late.commit()
        assert stream.next_entity() == "T-0000"
    with following(api, headers, last=between) as stream:
        assert stream.next_entity() == "T-0000"


def test_changes_of_one_record_come_in_their_order_and_the_newest_of_those_at_once_suffices(api: Api) -> None:
    with (
        following(api, api.token(Role.ENGINEER)) as stream,
        psycopg.connect(api.settings.database_url) as older,
        psycopg.connect(api.settings.database_url) as newer,
    ):
        stream.next()
        older.execute("SELECT pg_current_xact_id()")  # the lower number changes the record second
        for conn, firmware in ((newer, "2.0"), (older, "3.0")):
            conn.execute("UPDATE device SET firmware = %s WHERE serial = 'T-0000'", (firmware,))
            conn.execute("UPDATE device SET row_version = row_version + 1 WHERE serial = 'T-0000'")
            conn.execute("UPDATE device SET firmware = %s WHERE serial = 'T-0000'", (f"{firmware}.1",))
            conn.commit()
        versions = [stream.next()[2]["version"]]
        while versions[-1] != 3:
            versions.append(stream.next()[2]["version"])
        assert versions in ([3], [2, 3])


def test_a_customer_hears_of_its_own_devices_alone(api: Api) -> None:
    touch(api, "T-0002", "STALE")
    with following(api, api.token(Role.CUSTOMER, customer="T-C0")) as stream:
        last = stream.next()[0]
        touch(api, "T-0001")
        touch(api, "T-0000")
        assert stream.next_entity() == "T-0000"
    with following(api, api.token(Role.CUSTOMER, customer="T-C1"), last=last) as stream:
        assert stream.next_entity() == "T-0001"


def test_an_id_from_long_ago_says_reset_and_nonsense_is_refused(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with following(api, headers, last="1:1:") as stream:
        assert stream.next()[1] == "reset"
    for last in ("nonsense", "7421-15", "3:2:", "99999999999999999999:1:"):
        refused = api.get("/events/stream", headers={**headers, "Last-Event-ID": last})
        assert set(find_errors(refused)) == {"Last-Event-ID"}


def test_changes_that_are_removed_while_a_client_catches_up_say_reset(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        start = load_now(conn)
    for serial in ("T-0000", "T-0001", "T-0002"):
        touch(api, serial)

    def load_slowly(conn: Connection, after: Position, *, customer_id: int | None = None) -> ChangeBatch:
        with open_connection(api.settings.database_url, application="test") as other:
            remove_changes_before(other, now())
        return load_changes(conn, after, customer_id=customer_id)

    monkeypatch.setattr(events, "load_changes", load_slowly)
    with following(api, api.token(Role.ENGINEER), last=str(start)) as stream:
        assert stream.next()[1] == "reset"
        touch(api, "T-0003")
        assert stream.next_entity() == "T-0003"


def test_an_id_of_a_server_that_was_further_says_reset_and_the_stream_goes_on(api: Api) -> None:
    touch(api, "T-0000")
    with following(api, api.token(Role.ENGINEER), last=f"{2**62 + 3}:{2**62 + 3}:") as stream:
        assert stream.next()[1] == "reset"
        touch(api, "T-0001")
        assert stream.next_entity() == "T-0001"


def test_a_lost_listener_ends_streams_and_comes_back(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with following(api, headers) as stream:
        last = stream.next()[0]
        touch(api, "T-0000")
        last = stream.next()[0]
        with psycopg.connect(api.settings.database_url) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'forewarn api stream' "
                "AND datname = current_database()"
            )
        assert stream.ended.wait(60)
    touch(api, "T-0001")
    with following(api, headers, last=last) as stream:
        assert stream.next_entity() == "T-0001"


@pytest.mark.asyncio
async def test_a_slow_client_is_dropped_and_others_are_not() -> None:
    begin, end = Position(Snapshot(1, 1)), Position(Snapshot(2, 2))
    news = News(ChangeBatch(begin, end.seen, [Change(1, 1, now(), "device", "T-0000", 1, None)], end))
    everybody, customer = Audience(frozenset({"device"})), Audience(frozenset({"device"}), 5)
    slow = Subscription(everybody, 2 * len(news.tell(everybody)))
    assert [slow.offer(news) for _ in range(3)] == [True, True, False]
    assert await slow.take() is news
    assert [slow.offer(news) for _ in range(2)] == [True, False]
    slow.end()
    assert await slow.take() is None
    other = Subscription(customer, 1)
    assert all(other.offer(news) for _ in range(3)), "what it may not see takes no place"
    assert other.queue.empty()


@pytest.mark.asyncio
async def test_two_writers_at_once_lose_nothing_and_double_nothing(any_database: Database) -> None:
    with psycopg.connect(any_database.url) as conn:
        conn.execute(
            "INSERT INTO device_model (key, manufacturer, name, udi_di, safety_critical, current_version) "
            "VALUES ('M', 'x', '{}', 'x', false, 1)"
        )
        conn.execute(
            "INSERT INTO device (device_model_id, serial, shard) SELECT id, 'D' || i, 0 FROM device_model, "
            "generate_series(0, 7) i"
        )

    def write(worker: int) -> None:
        with psycopg.connect(any_database.url) as conn:
            for turn in range(40):
                conn.execute(
                    "UPDATE device SET firmware = %s WHERE serial = %s",
                    (f"{worker}.{turn}", f"D{worker * 2 + turn % 2}"),
                )
                if turn % 5 == 0:
                    conn.execute("SELECT pg_sleep(0.005)")
                if turn % 7 != 6:
                    conn.commit()
            conn.commit()

    writers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    seen: list[Change] = []
    are_done = False
    async with aclosing(follow_changes(any_database.url, application="test", idle_s=5.0)) as followed:
        async for batch in followed:
            if not batch.changes and writers[0].ident is None:
                for writer in writers:
                    writer.start()
            seen += batch.changes
            # Nothing for a while means nothing where the writers had ended before it.
            if len(seen) >= 160 or (not batch.changes and are_done):
                break
            are_done = writers[0].ident is not None and not any(writer.is_alive() for writer in writers)
    for writer in writers:
        writer.join()
    assert len(seen) == len({change.id for change in seen}) == 160
    for serial in {change.entity_id for change in seen}:
        ids = [change.id for change in seen if change.entity_id == serial]
        assert ids == sorted(ids), serial


def test_pruning_keeps_positions_that_still_hold(api: Api) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        start = load_now(conn)
        conn.commit()
        for serial in ("T-0000", "T-0001", "T-0002"):
            touch(api, serial)
        positions = [load_changes(conn, start, limit=limit).end for limit in (1, 2, 3)]
        conn.commit()
        assert [c.entity_id for c in load_changes(conn, start).changes] == ["T-0000", "T-0001", "T-0002"]
        after_all = load_now(conn)
        conn.execute("SELECT pg_sleep(0.01)")
        cutoff = conn.execute("SELECT clock_timestamp()").fetchone()
        assert cutoff is not None
        conn.commit()
        assert all(reaches_back(conn, position) for position in (start, *positions)), "nothing is removed yet"
        assert remove_changes_before(conn, cutoff[0]) >= 2
        assert reaches_back(conn, after_all)
        assert not any(reaches_back(conn, position) for position in (start, *positions))
        assert remove_changes_before(conn, cutoff[0]) == 0


def test_the_end_of_the_process_ends_streams_at_once(database: Database) -> None:
    # What is still open after this long is cut; here it would be noticed.
    with running_api(database.url, patience_s=600) as api:
        stream = Stream(api, api.token(Role.ENGINEER))
        assert stream.next()[1] == "ready"
    assert stream.ended.wait(60)


def test_a_stream_ends_after_its_time_so_that_rights_are_looked_at_again(database: Database) -> None:
    with running_api(database.url, stream_minutes=0.01) as api:
        api.add_user("anna", Role.AUDITOR)
        session = api.sign_in("anna")
        with psycopg.connect(database.url) as conn:
            conn.execute("UPDATE app_session SET last_used_at = now() - interval '30 minutes'")
        stream = Stream(api, session.reading)
        assert stream.next()[1] == "ready"
        assert stream.ended.wait(60)
        with psycopg.connect(database.url) as conn:
            idle = conn.execute("SELECT now() - last_used_at > interval '29 minutes' FROM app_session").fetchone()
        assert idle == (True,), "a stream keeps no session from idling"
