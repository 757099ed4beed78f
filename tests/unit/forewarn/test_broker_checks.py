"""What the doctor makes of certificates that end, and of a broker that is reached in clear."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.broker_address import BrokerAddress
from forewarn.broker_checks import check_encryption, is_loopback, judge_expiry
from forewarn.finding import State

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "state"),
    [(-1, State.BAD), (0, State.BAD), (6, State.BAD), (8, State.NOTE), (29, State.NOTE), (31, State.GOOD)],
)
def test_a_certificate_is_to_be_renewed_before_it_ends(days: int, state: State) -> None:
    finding = judge_expiry("Broker certificate", NOW + timedelta(days=days), NOW)
    assert finding.state is state
    assert (finding.advice == "") == (state is State.GOOD)


@pytest.mark.parametrize(
    ("address", "state"),
    [
        (BrokerAddress("127.0.0.1", 1883), State.GOOD),
        (BrokerAddress("localhost", 1883), State.GOOD),
        (BrokerAddress("broker.example.org", 8883, tls=True), State.GOOD),
        (BrokerAddress("broker.example.org", 1883), State.NOTE),
        (BrokerAddress("0.0.0.0", 1883), State.NOTE),
    ],
)
def test_readings_do_not_travel_in_clear_unremarked(address: BrokerAddress, state: State) -> None:
    assert check_encryption(address).state is state


def test_loopback_is_this_machine_alone() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org", ""))
