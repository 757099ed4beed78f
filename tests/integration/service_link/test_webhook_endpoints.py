"""Endpoints are told of what they want and may know, from when they want it, and while they are enabled."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from domain.errors import GuardRefusedError
from domain.webhook import EndpointState, ReplayScope, StateCause
from domain.webhook_signature import make_secret
from store.pool import open_connection
from store.webhook_deliveries import record_test
from store.webhook_lists import DeliveryFilter, load_deliveries, load_delivery
from store.webhook_planning import plan_deliveries
from store.webhook_replays import replay_delivery, replay_since
from store.webhook_secrets import seal_secret
from store.webhooks import EndpointDraft, change_endpoint, load_endpoint, lock_endpoint, move_endpoint, rotate_secret
from tests.support.databases import Database
from tests.support.service_world import make_profile, open_world
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Answer, Receiver
from tests.support.webhooks import ADMIN, Hooks


def test_only_what_is_wanted_and_only_from_when_it_was_wanted(hooks: Hooks, receiver: Receiver) -> None:
    hooks.tell("before")
    plan_deliveries(hooks.conn, hooks.find_now())
    with open_world(hooks.settings.database_url, make_profile()) as world:
        sites = [world.add_site(f"S-{number}", f"C-{number}") for number in (1, 2)]
        for number, site in enumerate(sites, start=1):
            world.add_device(f"SN-{number}", site_id=site)
    hooks.add_receiver(receiver, "/all")
    hooks.add_receiver(receiver, "/opened", "breach.opened")
    hooks.add_receiver(receiver, "/one", customer="C-1")
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


def test_who_is_told_of_another_customer_is_told_nothing_of_the_one_before(hooks: Hooks, receiver: Receiver) -> None:
    with open_world(hooks.settings.database_url, make_profile()) as world:
        for number in (1, 2):
            world.add_device(f"SN-{number}", site_id=world.add_site(f"S-{number}", f"C-{number}"))
    code = hooks.add_receiver(receiver, customer="C-1")
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


def test_who_is_gone_is_told_nothing_more_until_a_person_enables_it(hooks: Hooks, receiver: Receiver) -> None:
    code = hooks.add_receiver(receiver)
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


def test_nothing_is_planned_behind_the_back_of_who_retires_an_endpoint(
    hooks: Hooks, receiver: Receiver, database: Database
) -> None:
    code = hooks.add_receiver(receiver)
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


def test_a_rotated_secret_signs_beside_the_one_before(hooks: Hooks, receiver: Receiver) -> None:
    code = hooks.add_receiver(receiver)
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


def test_a_test_event_reaches_its_endpoint_alone_whatever_it_wants(hooks: Hooks, receiver: Receiver) -> None:
    code = hooks.add_receiver(receiver, "/hook", "capa.closed")
    hooks.add_receiver(receiver, "/other")
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
    code = hooks.add_receiver(receiver)
    hooks.tell("b-1")
    plan_deliveries(hooks.conn, hooks.find_now())
    with hooks.conn.transaction():
        move_endpoint(hooks.conn, ADMIN, code, EndpointState.RETIRED, "replaced", expected=1, now=hooks.find_now())
    hooks.deliver(hooks.find_now() + timedelta(days=1))
    assert receiver.requests == []
    assert hooks.states() == [("b-1", "CANCELLED", 0, 0)]
    assert hooks.conn.execute("SELECT length(sealed_secret) FROM webhook_endpoint").fetchone() == (0,)
