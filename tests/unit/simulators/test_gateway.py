"""A gateway batches, keeps, repeats and reorders, by its seed."""

import json
from typing import Any

import pytest

from simulators.gateway import Gateway, GatewaySettings, Message


def collect(gateway: Gateway, steps: int) -> None:
    for step in range(steps):
        for serial in ("A", "B"):
            gateway.collect(serial, {"ts": 1_000 + step, "seq": step + 1, "values": {"x": 1.0, "y": 2.0}})
        gateway.flush()


def take_all(gateway: Gateway) -> list[Message]:
    return list(iter(gateway.take, None))


def find_seqs(messages: list[Message], serial: str = "A") -> list[int]:
    bodies: list[dict[str, Any]] = [json.loads(message.payload) for message in messages]
    return [entry["seq"] for body in bodies for entry in body.get(serial, [])]


def test_one_flush_is_one_message_of_all_devices() -> None:
    gateway = Gateway("GW", 1)
    collect(gateway, 1)
    (message,) = take_all(gateway)
    assert message.topic == "forewarn/v1/gateway/GW/telemetry"
    assert message.values == 4
    assert json.loads(message.payload) == {
        "A": [{"ts": 1000, "seq": 1, "values": {"x": 1.0, "y": 2.0}}],
        "B": [{"ts": 1000, "seq": 1, "values": {"x": 1.0, "y": 2.0}}],
    }


def test_a_full_batch_closes_itself() -> None:
    gateway = Gateway("GW", 1, GatewaySettings(max_values=6))
    for step in range(7):
        gateway.collect("A", {"ts": step, "seq": step + 1, "values": {"x": 1.0, "y": 2.0}})
    messages = take_all(gateway)
    assert [message.values for message in messages] == [6, 6]
    gateway.flush()
    assert [message.values for message in take_all(gateway)] == [2]


def test_nothing_to_flush_is_no_message() -> None:
    gateway = Gateway("GW", 1)
    gateway.flush()
    gateway.release()
    assert gateway.take() is None


def test_what_is_not_taken_is_kept_in_order_and_a_message_can_be_given_back() -> None:
    gateway = Gateway("GW", 1)
    collect(gateway, 50)
    assert gateway.waiting == 50
    first = gateway.take()
    assert first is not None
    gateway.give_back(first)
    assert find_seqs(take_all(gateway)) == list(range(1, 51))


def test_a_full_store_loses_the_oldest_and_counts_it() -> None:
    gateway = Gateway("GW", 1, GatewaySettings(capacity=10))
    collect(gateway, 25)
    assert gateway.lost == 15
    assert find_seqs(take_all(gateway)) == list(range(16, 26))


def test_repeats_are_whole_messages_again() -> None:
    gateway = Gateway("GW", 3, GatewaySettings(repeat_share=0.3))
    collect(gateway, 200)
    seqs = find_seqs(take_all(gateway))
    assert sorted(set(seqs)) == list(range(1, 201))
    assert len(seqs) == 200 + gateway.repeated
    assert 30 < gateway.repeated < 90


def test_reordering_swaps_neighbours_and_loses_nothing() -> None:
    gateway = Gateway("GW", 3, GatewaySettings(reorder_share=0.3))
    collect(gateway, 200)
    gateway.release()
    seqs = find_seqs(take_all(gateway))
    assert sorted(seqs) == list(range(1, 201))
    assert seqs != sorted(seqs)
    assert all(abs(seq - place) <= 1 for place, seq in enumerate(seqs, start=1))
    assert gateway.reordered > 20


@pytest.mark.parametrize(("seed", "same"), [(5, True), (6, False)])
def test_the_seed_decides(seed: int, same: bool) -> None:
    settings = GatewaySettings(repeat_share=0.2, reorder_share=0.2)
    one, other = Gateway("GW", 5, settings), Gateway("GW", seed, settings)
    for gateway in (one, other):
        collect(gateway, 100)
    assert (find_seqs(take_all(one)) == find_seqs(take_all(other))) is same


def test_reports_stand_behind_the_readings_that_came_before() -> None:
    gateway = Gateway("GW", 1)
    collect(gateway, 1)
    gateway.report("firmware", {"A": {"version": "2"}})
    topics = [message.topic.rpartition("/")[2] for message in take_all(gateway)]
    assert topics == ["telemetry", "firmware"]
