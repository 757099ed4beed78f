"""Events reach real receivers: at least once, in order for each record, only those that are wanted, until given up."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.errors import GuardRefusedError
from domain.webhook import EndpointState, ReplayScope, StateCause
from domain.webhook_schedule import DELAYS, AttemptResult
from domain.webhook_signature import make_secret
from forewarn.ports import is_listening
from service_link.webhooks import DeliveryStatus, deliver_webhooks
from store.pool import open_connection
from store.webhook_deliveries import plan_deliveries, record_result, record_test, remove_old_deliveries
from store.webhook_lists import Attempt, Delivery, DeliveryFilter, load_attempts, load_deliveries, load_delivery
from store.webhook_replays import replay_delivery, replay_since
from store.webhook_secrets import seal_secret
from store.webhooks import EndpointDraft, change_endpoint, load_endpoint, lock_endpoint, move_endpoint, rotate_secret
from tests.support.databases import Database
from tests.support.service_world import make_profile, open_world
from tests.support.services import find_free_port
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Answer, Receiver, open_receiver
from tests.support.webhooks import ADMIN, Hooks, open_hooks


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as found:
        yield found
        assert found.wrong == []


@pytest.fixture
def hooks(database: Database, tmp_path: Path) -> Iterator[Hooks]:
    with open_hooks(database.url, tmp_path) as found:
        yield found


def add(hooks: Hooks, receiver: Receiver, path: str = "/hook", *types: str, **more: Any) -> str:
    """The code of an endpoint of that receiver, which knows its secret."""
    endpoint = hooks.add(receiver.url(path), *types, **more)
    receiver.secrets[path] = hooks.secrets[endpoint.code]
    return endpoint.code


def find_attempts(hooks: Hooks) -> list[Attempt]:
    (delivery,) = load_deliveries(hooks.conn, DeliveryFilter(None), limit=2)
    return load_attempts(hooks.conn, delivery.id)


def find_delivery(hooks: Hooks) -> Delivery:
    (delivery,) = load_deliveries(hooks.conn, DeliveryFilter(None), limit=2)
    return delivery


def test_an_event_arrives_signed_and_as_the_standards_want_it(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    hooks.tell("b-1", serial="SN-1", severity="MAJOR")
    hooks.tell("b-2", simulated=True)  # never leaves the system
    hooks.deliver()
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["user-agent"].startswith("forewarn/")
    assert abs(int(request.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 120
    event = request.event
    assert event["specversion"] == "1.0"
    assert event["id"] == request.id
    assert (event["type"], event["subject"]) == ("breach.opened", "SN-1")
    assert event["source"].startswith("urn:forewarn:")
    assert event["data"] == {"n": "b-1", "severity": "MAJOR"}
    assert event["sequence"].isdigit()
    assert hooks.states() == [("b-1", "DELIVERED", 1, 1)]
    (attempt,) = find_attempts(hooks)
    assert (attempt.status, attempt.error, attempt.address) == (204, "", "127.0.0.1")
    hooks.deliver(hooks.find_now() + timedelta(days=3))
    assert len(receiver.requests) == 1


def test_only_what_is_wanted_and_only_from_when_it_was_wanted(hooks: Hooks, receiver: Receiver) -> None:
    hooks.tell("before")
    plan_deliveries(hooks.conn, hooks.find_now())
    with open_world(hooks.settings.database_url, make_profile()) as world:
        sites = [world.add_site(f"S-{number}", f"C-{number}") for number in (1, 2)]
        for number, site in enumerate(sites, start=1):
            world.add_device(f"SN-{number}", site_id=site)
    add(hooks, receiver, "/all")
    add(hooks, receiver, "/opened", "breach.opened")
    add(hooks, receiver, "/one", customer="C-1")
    hooks.tell("b-1", "breach.opened", "breach.cleared", serial="SN-1")
    hooks.tell("b-2", "breach.cleared", serial="SN-2")
    hooks.tell("b-3", "breach.opened")  # of nobody's device
    # Whose event it is was decided when it happened.
    hooks.conn.execute("UPDATE device SET site_id = (SELECT id FROM site WHERE code = 'S-1') WHERE serial = 'SN-2'")
    hooks.deliver()
    found: dict[str, list[tuple[str, str, str | None]]] = {path: [] for path in ("/all", "/opened", "/one")}
    for request in receiver.requests:
        found[request.path].append((request.event["data"]["n"], request.event["type"], request.event.get("customer")))
    opened, cleared = "breach.opened", "breach.cleared"
    assert sorted(found["/all"], key=str) == sorted(
        [("b-1", opened, "C-1"), ("b-1", cleared, "C-1"), ("b-2", cleared, "C-2"), ("b-3", opened, None)], key=str
    )
    assert sorted(found["/opened"]) == [("b-1", opened, "C-1"), ("b-3", opened, None)]
    assert found["/one"] == [("b-1", opened, "C-1"), ("b-1", cleared, "C-1")]


def test_an_event_with_a_number_beyond_64_bits_is_delivered_as_well(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    hooks.tell("b-1", value=1.5e30)  # as a device may send it: the database gives it back with all its digits
    hooks.deliver()
    assert [request.event["data"]["value"] for request in receiver.requests] == [pytest.approx(1.5e30)]
    assert hooks.states() == [("b-1", "DELIVERED", 1, 1)]


def test_who_is_told_of_another_customer_is_told_nothing_of_the_one_before(hooks: Hooks, receiver: Receiver) -> None:
    with open_world(hooks.settings.database_url, make_profile()) as world:
        for number in (1, 2):
            world.add_device(f"SN-{number}", site_id=world.add_site(f"S-{number}", f"C-{number}"))
    code = add(hooks, receiver, customer="C-1")
    hooks.tell("old", serial="SN-1")
    hooks.deliver()
    receiver.decide = lambda request, before: Answer(503)
    hooks.tell("waiting", serial="SN-1")
    hooks.deliver(now := hooks.find_now())
    (other,) = hooks.conn.execute("SELECT id FROM customer WHERE code = 'C-2'").fetchone() or (None,)
    with hooks.conn.transaction():
        before = lock_endpoint(hooks.conn, code, None)
        draft = EndpointDraft(before.name, before.url, (), other, 0)
        change_endpoint(hooks.conn, ADMIN, code, draft, "", expected=before.row_version, now=now)
    receiver.decide = lambda request, before: Answer()
    count = len(receiver.requests)
    hooks.deliver(now := now + timedelta(days=1))
    assert len(receiver.requests) == count
    # Nor when it is asked for, nor by who looks at the deliveries of its own customer.
    with hooks.conn.transaction():
        since = now - timedelta(days=2)
        locked = lock_endpoint(hooks.conn, code, None)
        assert replay_since(hooks.conn, ADMIN, locked, since, ReplayScope.ALL, now=now) == 0
    found = load_deliveries(hooks.conn, DeliveryFilter(None), limit=5)
    assert [delivery.state for delivery in found] == ["CANCELLED", "DELIVERED"]
    with pytest.raises(GuardRefusedError, match="another customer"):
        replay_delivery(hooks.conn, ADMIN, found[1].id, customer_id=None, now=now)
    assert load_deliveries(hooks.conn, DeliveryFilter(other), limit=5) == []
    assert load_delivery(hooks.conn, found[1].id, customer_id=other) is None
    hooks.tell("new", serial="SN-2")
    hooks.deliver(hooks.find_now() + timedelta(days=1))
    assert [request.event["data"]["n"] for request in receiver.requests[count:]] == ["new"]


def test_a_failing_receiver_is_tried_by_the_schedule_and_then_given_up(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    receiver.decide = lambda request, before: Answer(500, body="\x00broken 坏了".encode())
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    for tries, delay in enumerate(DELAYS[1:], start=1):
        assert hooks.states() == [("b-1", "WAITING", tries, tries)]
        hooks.deliver(at + delay - timedelta(seconds=1))
        assert len(receiver.requests) == tries
        hooks.deliver(at := at + delay)
        assert len(receiver.requests) == tries + 1
    assert hooks.states() == [("b-1", "DEAD", 10, 10)]
    assert len(set(receiver.find_ids())) == 1
    attempts = find_attempts(hooks)
    assert [a.number for a in attempts] == list(range(10, 0, -1))
    assert {(a.status, a.error, a.response) for a in attempts} == {(500, "status", "�broken 坏了")}
    # Asked for again, it has its schedule once more, and the same id.
    receiver.decide = lambda request, before: Answer()
    replay_delivery(hooks.conn, ADMIN, find_delivery(hooks).id, customer_id=None, now=at)
    hooks.deliver(at)
    assert hooks.states() == [("b-1", "DELIVERED", 1, 11)]
    assert len(set(receiver.find_ids())) == 1


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (Answer(301, {"location": "/elsewhere"}), 301, "redirect"),
        (Answer(307, {"location": "http://169.254.169.254/"}), 307, "redirect"),
        (Answer(404, body=b"x" * 10_000), 404, "status"),
        (Answer(cut=True), None, "connection"),
    ],
)
def test_what_is_no_success_is_tried_again(
    hooks: Hooks, receiver: Receiver, answer: Answer, status: int | None, error: str
) -> None:
    add(hooks, receiver)
    receiver.decide = lambda request, before: Answer() if before else answer
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    (attempt,) = find_attempts(hooks)
    assert (attempt.status, attempt.error) == (status, error)
    assert len(attempt.response) <= 1000
    hooks.deliver(at + timedelta(seconds=6))
    assert hooks.states() == [("b-1", "DELIVERED", 2, 2)]
    assert {request.path for request in receiver.requests} == {"/hook"}  # no redirect was followed


@pytest.mark.parametrize(("asked", "seconds"), [("90", 90), ("1", 5), ("864000", 86_400)])
def test_retry_after_is_obeyed_within_bounds(hooks: Hooks, receiver: Receiver, asked: str, seconds: int) -> None:
    add(hooks, receiver)
    receiver.decide = lambda request, before: Answer() if before else Answer(503, {"retry-after": asked})
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    hooks.deliver(at + timedelta(seconds=seconds - 1))
    assert len(receiver.requests) == 1
    hooks.deliver(at + timedelta(seconds=seconds))
    assert len(receiver.requests) == 2


def test_who_is_gone_is_told_nothing_more_until_a_person_enables_it(hooks: Hooks, receiver: Receiver) -> None:
    code = add(hooks, receiver)
    receiver.decide = lambda request, before: Answer(410)
    hooks.tell("b-1", "breach.opened", "breach.cleared")
    hooks.deliver(at := hooks.find_now())
    endpoint = load_endpoint(hooks.conn, code, customer_id=None)
    assert endpoint is not None
    assert (endpoint.state, endpoint.state_cause) == (EndpointState.DISABLED, StateCause.GONE)
    assert hooks.states() == [("b-1", "WAITING", 0, 1), ("b-1", "WAITING", 0, 0)]  # nothing is lost
    hooks.tell("b-2")
    hooks.deliver(at + timedelta(days=2))
    assert len(receiver.requests) == 1
    receiver.decide = lambda request, before: Answer()
    now = hooks.find_now()
    with hooks.conn.transaction():
        move_endpoint(hooks.conn, ADMIN, code, EndpointState.ENABLED, "", expected=endpoint.row_version, now=now)
    hooks.deliver(now)
    assert [(r.event["data"]["n"], r.event["type"]) for r in receiver.requests[1:]] == [
        ("b-1", "breach.opened"),
        ("b-1", "breach.cleared"),
    ]
    # What happened meanwhile is asked for.
    with hooks.conn.transaction():
        locked = lock_endpoint(hooks.conn, code, None)
        since = now - timedelta(hours=1)
        assert replay_since(hooks.conn, ADMIN, locked, since, ReplayScope.MISSING, now=now) == 1
    hooks.deliver(now)
    assert receiver.requests[-1].event["data"]["n"] == "b-2"
    with hooks.conn.transaction():
        assert replay_since(hooks.conn, ADMIN, locked, since, ReplayScope.MISSING, now=now) == 0
        assert replay_since(hooks.conn, ADMIN, locked, since, ReplayScope.ALL, now=now) == 3
    hooks.deliver(now)
    assert len(receiver.requests) == 7
    assert [n for n, _, _, _ in hooks.states() if n == "b-2"] == ["b-2"]


def test_a_later_event_of_a_record_waits_and_other_records_go_on(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    add(hooks, receiver, "/other")
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
    add(hooks, receiver)
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


def test_nothing_is_planned_behind_the_back_of_who_retires_an_endpoint(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    code = add(hooks, receiver)
    hooks.tell("b-1")
    now = hooks.find_now()
    waiting = "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = %s"
    with open_connection(database.url, application="test", autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        with hooks.conn.transaction():
            move_endpoint(hooks.conn, ADMIN, code, EndpointState.RETIRED, "replaced", expected=None, now=now)
            planned = pool.submit(plan_deliveries, other, now)
            name = hooks.conn.info.dbname
            wait_until(
                lambda: planned.done() or hooks.conn.execute(waiting, (name,)).fetchone() is not None,
                what="the other process at the endpoint",
            )
        assert planned.result() == 1
    assert [state for _, state, _, _ in hooks.states()] in ([], ["CANCELLED"])


def test_an_endpoint_may_want_its_events_later(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver, delay_s=30)
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    hooks.deliver(at + timedelta(seconds=28))
    assert receiver.requests == []
    hooks.deliver(at + timedelta(seconds=31))
    assert len(receiver.requests) == 1


def test_a_receiver_that_drips_is_cut_off_in_time(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    receiver.hold.clear()
    hooks.tell("b-1")
    hooks.deliver()
    (attempt,) = find_attempts(hooks)
    assert attempt.error == "timeout"
    assert attempt.duration_ms >= 1900


def test_inner_networks_are_refused_when_the_name_is_looked_up(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add(f"https://localhost:{receiver.port}/hook")
    hooks.add("https://no-such-host.invalid/hook")
    hooks.add(receiver.url())
    hooks.settings = replace(hooks.settings, webhook_networks="")
    hooks.tell("b-1")
    hooks.deliver()
    assert receiver.requests == []
    found = load_deliveries(hooks.conn, DeliveryFilter(None), limit=5)
    assert [d.last_error for d in reversed(found)] == ["address_refused", "no_address", "address_refused"]
    assert "127.0.0.1" in load_attempts(hooks.conn, found[0].id)[0].detail


def test_a_rotated_secret_signs_beside_the_one_before(hooks: Hooks, receiver: Receiver) -> None:
    code = add(hooks, receiver)
    new = make_secret(b"n" * 32)
    now = hooks.find_now()
    sealed = seal_secret(hooks.settings.webhook_key_file, code, new)
    with hooks.conn.transaction():
        until = now + timedelta(hours=24)
        rotate_secret(hooks.conn, ADMIN, lock_endpoint(hooks.conn, code, None), sealed, previous_until=until, now=now)
    hooks.tell("b-1")
    hooks.deliver()
    receiver.secrets["/hook"] = new
    hooks.tell("b-2")
    hooks.deliver()
    hooks.tell("b-3")
    hooks.deliver(now + timedelta(hours=25))
    counts = [len(r.headers["webhook-signature"].split(" ")) for r in receiver.requests]
    assert counts == [2, 2, 1]


def test_two_processes_deliver_everything_once_and_in_order(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    add(hooks, receiver, "/a")
    add(hooks, receiver, "/b")
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
    add(hooks, receiver)
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
    add(hooks, receiver)
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
    assert [a.number for a in find_attempts(hooks)] == [3, 2, 1]


def test_without_the_key_nothing_is_sent_and_it_is_said(hooks: Hooks, receiver: Receiver, tmp_path: Path) -> None:
    add(hooks, receiver)
    hooks.tell("b-1")
    hooks.settings = replace(hooks.settings, webhook_key_file=tmp_path / "nowhere")
    hooks.deliver()
    assert receiver.requests == []
    (attempt,) = find_attempts(hooks)
    assert attempt.error == "secret"
    assert "holds no key" in attempt.detail


def test_a_test_event_reaches_its_endpoint_alone_whatever_it_wants(hooks: Hooks, receiver: Receiver) -> None:
    code = add(hooks, receiver, "/hook", "capa.closed")
    add(hooks, receiver, "/other")
    endpoint = load_endpoint(hooks.conn, code, customer_id=None)
    assert endpoint is not None
    now = hooks.find_now()
    for _ in range(2):
        delivery_id = record_test(hooks.conn, ADMIN, endpoint.id, code, now=now)
    hooks.deliver(now)
    assert [(r.path, r.event["type"], r.event["data"]) for r in receiver.requests] == 2 * [
        ("/hook", "webhook.test", {"webhook": code})
    ]
    found = load_delivery(hooks.conn, delivery_id, customer_id=None)
    assert found is not None
    assert found.state == "DELIVERED"
    assert load_delivery(hooks.conn, delivery_id, customer_id=7) is None


def test_a_retired_endpoint_is_told_nothing_and_has_no_secret(hooks: Hooks, receiver: Receiver) -> None:
    code = add(hooks, receiver)
    hooks.tell("b-1")
    plan_deliveries(hooks.conn, hooks.find_now())
    with hooks.conn.transaction():
        move_endpoint(hooks.conn, ADMIN, code, EndpointState.RETIRED, "replaced", expected=1, now=hooks.find_now())
    hooks.deliver(hooks.find_now() + timedelta(days=1))
    assert receiver.requests == []
    assert hooks.states() == [("b-1", "CANCELLED", 0, 0)]
    assert hooks.conn.execute("SELECT length(sealed_secret) FROM webhook_endpoint").fetchone() == (0,)


def test_old_deliveries_go_with_their_attempts_and_what_waits_stays(hooks: Hooks, receiver: Receiver) -> None:
    add(hooks, receiver)
    hooks.tell("b-1")
    hooks.deliver()
    hooks.tell("b-2")
    plan_deliveries(hooks.conn, now := hooks.find_now())
    assert remove_old_deliveries(hooks.conn, now - timedelta(days=1), 10) == 0
    assert remove_old_deliveries(hooks.conn, now + timedelta(days=1), 10) == 1
    assert [n for n, _, _, _ in hooks.states()] == ["b-2"]
    assert hooks.conn.execute("SELECT count(*) FROM webhook_attempt").fetchone() == (0,)


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


def test_the_example_of_the_document_takes_what_is_sent_and_refuses_the_rest(hooks: Hooks, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    port, log = find_free_port(), tmp_path / "log"
    endpoint = hooks.add(f"http://127.0.0.1:{port}/")
    environment = os.environ | {"PORT": str(port), "WEBHOOK_SECRET": hooks.secrets[endpoint.code]}
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", example], env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: is_listening("127.0.0.1", port), what="the example to listen")
        hooks.tell("b-1", serial="SN-1")
        hooks.deliver()
        sealed = seal_secret(hooks.settings.webhook_key_file, endpoint.code, make_secret(b"x" * 32))
        hooks.conn.execute("UPDATE webhook_endpoint SET sealed_secret = %s", (sealed,))
        hooks.tell("b-2", serial="SN-2")
        hooks.deliver()
    finally:
        process.terminate()
        process.wait()
    found = load_deliveries(hooks.conn, DeliveryFilter(None), limit=5)
    assert [(d.subject, d.state, d.last_status) for d in found] == [
        ("SN-2", "WAITING", 401),
        ("SN-1", "DELIVERED", 204),
    ]
    said = log.read_text("utf-8")
    assert "breach.opened SN-1" in said
    assert "SN-2" not in said
