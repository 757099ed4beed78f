"""Events reach real receivers: signed, tried again by the schedule until they are given up, at checked addresses."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.webhook_schedule import DELAYS
from domain.webhook_signature import make_secret
from forewarn.ports import is_listening
from store.webhook_lists import DeliveryFilter, load_attempts, load_deliveries
from store.webhook_replays import replay_delivery
from store.webhook_secrets import seal_secret
from tests.support.services import find_free_port
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Answer, Receiver
from tests.support.webhooks import ADMIN, Hooks


def test_an_event_arrives_signed_and_as_the_standards_want_it(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
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
    (attempt,) = hooks.find_attempts()
    assert (attempt.status, attempt.error, attempt.address) == (204, "", "127.0.0.1")
    hooks.deliver(hooks.find_now() + timedelta(days=3))
    assert len(receiver.requests) == 1


def test_an_event_with_a_number_beyond_64_bits_is_delivered_as_well(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    hooks.tell("b-1", value=1.5e30)  # as a device may send it: the database gives it back with all its digits
    hooks.deliver()
    assert [request.event["data"]["value"] for request in receiver.requests] == [pytest.approx(1.5e30)]
    assert hooks.states() == [("b-1", "DELIVERED", 1, 1)]


def test_a_failing_receiver_is_tried_by_the_schedule_and_then_given_up(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
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
    attempts = hooks.find_attempts()
    assert [a.number for a in attempts] == list(range(10, 0, -1))
    assert {(a.status, a.error, a.response) for a in attempts} == {(500, "status", "�broken 坏了")}
    # Asked for again, it has its schedule once more, and the same id.
    receiver.decide = lambda request, before: Answer()
    replay_delivery(hooks.conn, ADMIN, hooks.find_delivery().id, customer_id=None, now=at)
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
    hooks.add_receiver(receiver)
    receiver.decide = lambda request, before: Answer() if before else answer
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    (attempt,) = hooks.find_attempts()
    assert (attempt.status, attempt.error) == (status, error)
    assert len(attempt.response) <= 1000
    hooks.deliver(at + timedelta(seconds=6))
    assert hooks.states() == [("b-1", "DELIVERED", 2, 2)]
    assert {request.path for request in receiver.requests} == {"/hook"}  # no redirect was followed


@pytest.mark.parametrize(("asked", "seconds"), [("90", 90), ("1", 5), ("864000", 86_400)])
def test_retry_after_is_obeyed_within_bounds(hooks: Hooks, receiver: Receiver, asked: str, seconds: int) -> None:
    hooks.add_receiver(receiver)
    receiver.decide = lambda request, before: Answer() if before else Answer(503, {"retry-after": asked})
    hooks.tell("b-1")
    hooks.deliver(at := hooks.find_now())
    hooks.deliver(at + timedelta(seconds=seconds - 1))
    assert len(receiver.requests) == 1
    hooks.deliver(at + timedelta(seconds=seconds))
    assert len(receiver.requests) == 2


def test_a_receiver_that_drips_is_cut_off_in_time(hooks: Hooks, receiver: Receiver) -> None:
    hooks.add_receiver(receiver)
    hooks.settings = replace(hooks.settings, webhook_timeout_s=1.0)
    receiver.hold.clear()
    hooks.tell("b-1")
    hooks.deliver()
    (attempt,) = hooks.find_attempts()
    assert attempt.error == "timeout"
    assert attempt.duration_ms >= 900


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


def test_without_the_key_nothing_is_sent_and_it_is_said(hooks: Hooks, receiver: Receiver, tmp_path: Path) -> None:
    hooks.add_receiver(receiver)
    hooks.tell("b-1")
    hooks.settings = replace(hooks.settings, webhook_key_file=tmp_path / "nowhere")
    hooks.deliver()
    assert receiver.requests == []
    (attempt,) = hooks.find_attempts()
    assert attempt.error == "secret"
    assert "holds no key" in attempt.detail


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
