"""Deliveries in order for each record, by any number of processes, whichever of them dies; and the end of old ones."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from domain.webhook_schedule import AttemptResult
from service_link.webhooks import DeliveryStatus, deliver_webhooks
from store.pool import open_connection
from store.webhook_deliveries import record_result, remove_old_deliveries
from store.webhook_lists import DeliveryFilter, load_deliveries
from store.webhook_planning import plan_deliveries
from tests.support.databases import Database
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Answer, Receiver
from tests.support.webhooks import Hooks, open_hooks


def test_a_later_event_of_a_record_waits_and_other_records_go_on(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    hooks.add_receiver(receiver, "/other")
    receiver.decide = lambda request, before: Answer(500 if request.path == "/hook" and is_first(request) else 204)

    def is_first(request: Any) -> bool:
        return bool(request.event["data"]["n"] == "b-1" and request.event["type"] == "breach.opened")

    hooks.tell("b-1", "breach.opened", "breach.escalated", "breach.cleared")
    hooks.tell("b-2", "breach.opened", "breach.cleared")
    hooks.deliver(at := hooks.find_now())
    told = [(r.path, r.event["data"]["n"], r.event["type"]) for r in receiver.requests]
    assert [t[1:] for t in told if t[0] == "/hook" and t[1] == "b-1"] == [("b-1", "breach.opened")]
    assert [t[2] for t in told if t[0] == "/hook" and t[1] == "b-2"] == ["breach.opened", "breach.cleared"]
    assert [t[2] for t in told if t[0] == "/other" and t[1] == "b-1"] == [
        "breach.opened",
        "breach.escalated",
        "breach.cleared",
    ]
    receiver.decide = lambda request, before: Answer()
    hooks.deliver(at + timedelta(seconds=5))
    mine = [r.event["type"] for r in receiver.requests if r.path == "/hook" and r.event["data"]["n"] == "b-1"]
    assert mine == ["breach.opened", "breach.opened", "breach.escalated", "breach.cleared"]


def test_what_is_planned_behind_a_failing_event_comes_as_soon_as_that_is_over(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    receiver.decide = lambda request, before: Answer(503, {"retry-after": "3600"})
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    receiver.decide = lambda request, before: Answer()
    hooks.tell("b-1", "breach.escalated", "breach.cleared")
    hooks.deliver(hooks.find_now())
    due = [d.due_at for d in load_deliveries(hooks.conn, DeliveryFilter(None), limit=5)]
    assert set(due) == {at + timedelta(hours=1)}  # none of them is looked at before
    hooks.deliver(at + timedelta(hours=1))
    types = [request.event["type"] for request in receiver.requests]
    assert types == ["breach.opened", "breach.opened", "breach.escalated", "breach.cleared"]


def test_an_endpoint_may_want_its_events_later(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver, delay_s=30)
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    hooks.deliver(at + timedelta(seconds=28))
    assert receiver.requests == []
    hooks.deliver(at + timedelta(seconds=31))
    assert len(receiver.requests) == 1


def test_two_processes_deliver_everything_once_and_in_order(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    hooks.add_receiver(receiver, "/a")
    hooks.add_receiver(receiver, "/b")
    stop = threading.Event()
    statuses = [DeliveryStatus(), DeliveryStatus()]
    threads = [threading.Thread(target=deliver_webhooks, args=(hooks.settings, s, stop)) for s in statuses]
    for thread in threads:
        thread.start()
    try:
        for number in range(40):
            hooks.tell(f"b-{number % 5}", "breach.opened", number=number)
        wait_until(lambda: len(receiver.requests) >= 80, what="all events at both")
        wait_until(lambda: {s[1] for s in hooks.states()} == {"DELIVERED"}, what="all written down")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for path in ("/a", "/b"):
        for record in range(5):
            name = f"b-{record}"
            told = [r.event["data"] for r in receiver.requests if r.path == path]
            came = [data["number"] for data in told if data["n"] == name]
            assert came == sorted(came)
            assert len(came) == 8
    assert sum(status.delivered for status in statuses) == 80


KILLED = """
import sys, threading
from pathlib import Path
from service_link.settings import ServiceLinkSettings
from forewarn.ports import is_listening
from service_link.webhooks import DeliveryStatus, deliver_webhooks
url, key_file, networks = sys.argv[1:]
settings = ServiceLinkSettings(
    database_url=url, webhook_key_file=Path(key_file), webhook_networks=networks, webhook_timeout_s=60.0,
    webhook_poll_s=0.05)
deliver_webhooks(settings, DeliveryStatus(), threading.Event())
"""


def test_a_killed_process_loses_nothing(hooks: Hooks, receiver: Receiver, database: Database) -> None:
    hooks.add_receiver(receiver)
    receiver.hold.clear()  # it dies while the receiver thinks
    hooks.tell("b-1", "breach.opened", "breach.cleared")
    hooks.tell("b-2")
    arguments = [database.url, str(hooks.settings.webhook_key_file), hooks.settings.webhook_networks]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], env=dict(os.environ))
    try:
        wait_until(lambda: len(receiver.requests) == 2, what="two events under way")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.hold.set()
    hooks.deliver(now := hooks.find_now())
    assert len(receiver.requests) == 2  # leased, for all that anybody knows
    hooks.deliver(now + timedelta(seconds=130))
    assert {state for _, state, _, _ in hooks.states()} == {"DELIVERED"}
    types = [(r.event["data"]["n"], r.event["type"]) for r in receiver.requests]
    assert sorted(types[:2]) == sorted(types[2:4]) == [("b-1", "breach.opened"), ("b-2", "breach.opened")]
    assert types[4:] == [("b-1", "breach.cleared")]
    assert len(set(receiver.find_ids())) == 3  # the same ids as before


def test_a_slow_process_that_lost_its_lease_does_no_harm(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    hooks.tell("b-1")
    now = hooks.find_now()
    (slow,) = hooks.claim(now)
    assert hooks.claim(now) == []
    (quick,) = hooks.claim(now + timedelta(minutes=2))
    record_result(hooks.conn, slow, AttemptResult(now, 1, error="timeout"), now + timedelta(days=1))
    assert hooks.states() == [("b-1", "WAITING", 0, 1)]  # it is told of, and changes nothing
    record_result(hooks.conn, quick, AttemptResult(now, 1, status=200), None)
    record_result(hooks.conn, slow, AttemptResult(now, 1, status=200), None)
    assert hooks.states() == [("b-1", "DELIVERED", 1, 3)]
    assert [a.number for a in hooks.find_attempts()] == [3, 2, 1]


def test_planning_and_claiming_on_every_store(any_database: Database, tmp_path: Path) -> None:
    with open_hooks(any_database.url, tmp_path) as hooks:
        hooks.add("https://erp.example/")
        hooks.tell("b-1", "breach.opened", "breach.cleared")
        now = hooks.find_now()
        with open_connection(any_database.url, application="test") as other, other.transaction():
            assert plan_deliveries(other, now) == 2
            assert plan_deliveries(hooks.conn, now) == 0  # one plans at a time
        (claim,) = hooks.claim(now)
        assert claim.body["type"] == "breach.opened"


def test_old_deliveries_go_with_their_attempts_and_what_waits_stays(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    hooks.tell("b-1")
    hooks.deliver()
    hooks.tell("b-2")
    plan_deliveries(hooks.conn, now := hooks.find_now())
    assert remove_old_deliveries(hooks.conn, now - timedelta(days=1), 10) == 0
    assert remove_old_deliveries(hooks.conn, now + timedelta(days=1), 10) == 1
    assert [n for n, _, _, _ in hooks.states()] == ["b-2"]
    assert hooks.conn.execute("SELECT count(*) FROM webhook_attempt").fetchone() == (0,)
