"""The program watches models beside triage, on a connection of its own; one process of an installation does it."""

import threading
from datetime import timedelta

from service_link.program import run
from service_link.settings import ServiceLinkSettings
from store.monitor_quality import load_quality
from store.pool import open_connection
from store.releases import try_lock_model_watch
from tests.support.databases import Database
from tests.support.service_world import open_world
from tests.support.waiting import wait_until


def test_the_program_watches_and_ends_at_once(database: Database) -> None:
    stop = threading.Event()
    settings = ServiceLinkSettings(database_url=database.url, watch_s=0.1, poll_s=0.1)
    with open_world(database.url) as world:
        world.add_device("P-1", world.add_site("S"), known_for=timedelta(days=9))
        # While another process has the turn, this one waits for it.
        with open_connection(database.url, application="test", autocommit=True) as other:
            assert try_lock_model_watch(other)
            program = threading.Thread(target=run, args=(settings, stop))
            program.start()
            try:
                beats = "SELECT FROM heartbeat WHERE program = 'service-link'"
                wait_until(lambda: world.rows(beats), what="a sign of life")
                assert load_quality(world.conn) == []
            except BaseException:
                stop.set()
                raise
        try:
            wait_until(
                lambda: [q.monitor for q in load_quality(world.conn)] == ["", "current_high"], what="a judged monitor"
            )
        finally:
            stop.set()
            program.join(60)
        assert not program.is_alive()
