"""TLS and mutual TLS at a real Mosquitto with the shipped listeners: who is let in, who is refused, and by whom."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress
from domain.errors import ConfigurationError
from forewarn.certificates import Issued, issue_device_certificate, make_authority
from ingest.mqtt_source import MqttSource
from ingest.settings import MqttSettings
from simulators.connection import Connection
from tests.support.mqtt_client import connected, try_publish
from tests.support.secured_mosquitto import SecuredMosquitto
from tests.support.waiting import wait_until

DENIED = "Not authorized"


def make_account(secured: SecuredMosquitto, serial: str, password: str | None) -> None:
    secured.accounts.set_account(BrokerAccount(AccountKind.DEVICE, serial), password)


def by_password(secured: SecuredMosquitto, serial: str, password: str = "secret") -> BrokerAddress:
    return BrokerAddress("127.0.0.1", secured.tls_port, True, serial, password, ca_file=secured.ca_file)


def by_certificate(secured: SecuredMosquitto, issued: Issued | None) -> BrokerAddress:
    address = BrokerAddress("127.0.0.1", secured.mutual_port, tls=True, ca_file=secured.ca_file)
    return address if issued is None else replace(address, cert_file=str(issued.certificate), key_file=str(issued.key))


def test_a_device_signs_in_by_password_over_tls_to_a_broker_that_it_trusts(
    secured: SecuredMosquitto, tmp_path: Path
) -> None:
    make_account(secured, "TLS-1", "secret")
    address = by_password(secured, "TLS-1")
    assert try_publish(address, "forewarn/v1/TLS-1/telemetry") != DENIED
    assert try_publish(address, "forewarn/v1/TLS-2/telemetry") == DENIED
    foreign = make_authority(tmp_path)
    for refused, words in (
        (replace(address, host="localhost"), "mismatch"),
        (replace(address, ca_file=str(foreign.certificate)), "verify failed"),
        (replace(address, port=secured.expired_port), "expired"),
        (replace(address, password="wrong"), DENIED),
        (replace(address, username=None, password=None), DENIED),
    ):
        with connected(refused) as client:
            assert words in client.refusal, refused


def test_a_certificate_is_an_account_with_the_serial_as_its_name(secured: SecuredMosquitto) -> None:
    make_account(secured, "MTLS-1", None)
    make_account(secured, "MTLS-2", None)
    address = by_certificate(secured, issue_device_certificate(secured.pki, "MTLS-1"))
    with connected(secured.ingest) as ingest:
        assert ingest.subscribe("forewarn/v1/+/telemetry")
        # What it says of itself does not count.
        for claimed in (address, replace(address, username="MTLS-2"), replace(address, username="forewarn-ingest")):
            assert try_publish(claimed, "forewarn/v1/MTLS-2/telemetry") == DENIED
            assert try_publish(claimed, "forewarn/v1/MTLS-1/telemetry") != DENIED
        wait_until(lambda: len(ingest.received) >= 3, what="the device's own messages")
        assert set(ingest.received) == {"forewarn/v1/MTLS-1/telemetry"}
    secured.accounts.remove_account(BrokerAccount(AccountKind.DEVICE, "MTLS-1"))
    with connected(address) as revoked:
        assert revoked.refusal or revoked.publish("forewarn/v1/MTLS-1/telemetry") == DENIED


def test_a_gateways_certificate_names_it_as_a_gateway(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(BrokerAccount(AccountKind.GATEWAY, "MTLS-GW"), None)
    address = by_certificate(secured, issue_device_certificate(secured.pki, "gateway/MTLS-GW"))
    assert try_publish(address, "forewarn/v1/gateway/MTLS-GW/telemetry") != DENIED
    assert try_publish(address, "forewarn/v1/MTLS-GW/telemetry") == DENIED


def test_who_shows_no_good_certificate_is_refused(secured: SecuredMosquitto, tmp_path: Path) -> None:
    make_account(secured, "MTLS-3", "secret")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    expired = issue_device_certificate(secured.pki, "MTLS-3", days=29, now=long_ago)
    make_authority(tmp_path)
    foreign = issue_device_certificate(tmp_path, "MTLS-3")
    nothing = by_certificate(secured, None)
    for refused in (
        by_certificate(secured, expired),
        by_certificate(secured, foreign),
        nothing,
        replace(nothing, username="MTLS-3", password="secret"),
    ):
        with connected(refused) as client:
            assert client.refusal, refused
    # The broker's own certificate is for servers: it does not sign in as a device.
    with connected(by_certificate(secured, secured.server)) as client:
        assert client.refusal


@contextmanager
def running_source(settings: MqttSettings) -> Iterator[MqttSource]:
    source = MqttSource(settings, lambda: time.time_ns() // 1000, 1 << 20)
    source.start()
    try:
        yield source
    finally:
        source.close()


def test_ingest_connects_by_tls_and_by_a_certificate_of_its_own(secured: SecuredMosquitto) -> None:
    make_account(secured, "TLS-4", "secret")
    own = issue_device_certificate(secured.pki, "forewarn-ingest")
    password = secured.ingest.password
    by_tls = MqttSettings(
        url=f"mqtts://forewarn-ingest:{password}@127.0.0.1:{secured.tls_port}", ca_file=secured.ca_file
    )
    by_mutual_tls = MqttSettings(
        url=f"mqtts://127.0.0.1:{secured.mutual_port}?ca_file={secured.ca_file}",
        cert_file=str(own.certificate),
        key_file=str(own.key),
    )
    for settings in (by_tls, by_mutual_tls):
        with running_source(settings) as source:
            # Connected is not yet subscribed: publish until it arrives.
            topics: list[bytes] = []

            def arrives(source: MqttSource = source, topics: list[bytes] = topics) -> bool:
                if source.find_state().connected:
                    try_publish(by_password(secured, "TLS-4"), "forewarn/v1/TLS-4/telemetry")
                chunks = source.take(max_messages=10, max_bytes=1 << 20, timeout_s=0.2, linger_s=0)
                topics += [message.topic for chunk in chunks for message in chunk.messages]
                source.acknowledge(chunks)
                return bool(topics)

            wait_until(arrives, what="a message over TLS")
            assert set(topics) == {b"forewarn/v1/TLS-4/telemetry"}


# paho leaves the socket of a failed handshake to be closed by whoever forgets it.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_ingest_does_not_speak_to_a_broker_that_it_does_not_trust(secured: SecuredMosquitto, tmp_path: Path) -> None:
    foreign = make_authority(tmp_path)
    settings = MqttSettings(url=f"mqtts://127.0.0.1:{secured.tls_port}", ca_file=str(foreign.certificate))
    with running_source(settings) as source:
        wait_until(lambda: "verify failed" in source.find_state().problem, what="the refusal")
        assert not source.find_state().connected
    with pytest.raises(ConfigurationError, match="certificate"):
        MqttSource(replace(settings, ca_file=str(tmp_path / "none.crt")), lambda: 0, 1)


def test_a_simulated_device_connects_by_its_certificate(secured: SecuredMosquitto) -> None:
    make_account(secured, "MTLS-5", None)
    address = by_certificate(secured, issue_device_certificate(secured.pki, "MTLS-5"))
    connection = Connection(address, "simulated")
    connection.start()
    try:
        assert connection.publish("forewarn/v1/MTLS-5/telemetry", b"{}")
        assert connection.wait_acknowledged(30)
    finally:
        connection.close()
