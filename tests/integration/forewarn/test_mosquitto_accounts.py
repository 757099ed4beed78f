"""The accounts and rights that production gives to devices, on a real Mosquitto with the shipped ACL."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGHUP

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.support.brokers import MosquittoProcess
from tests.support.waiting import wait_until

DEPLOY = Path(__file__).parents[3] / "deploy"
ACCOUNTS = DEPLOY / "accounts.py"


@dataclass(frozen=True, slots=True)
class Installation:
    folder: Path
    mosquitto: MosquittoProcess

    def accounts(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ACCOUNTS), "--folder", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def add(self, name: str) -> str:
        done = self.accounts("add", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ingest_password(self) -> str:
        lines = (self.folder / ".env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("FOREWARN_MQTT_PASSWORD="))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Mosquitto with the shipped ACL; only paths, port and user differ from deploy/mosquitto/mosquitto.conf."""
    mosquitto = MosquittoProcess(tmp_path)
    made = Installation(tmp_path, mosquitto)
    assert made.accounts("init").returncode == 0
    text = mosquitto.configuration.read_text().replace("allow_anonymous true", "allow_anonymous false")
    text += f"password_file {tmp_path}/secrets/mosquitto.passwd\nacl_file {DEPLOY}/mosquitto/acl\n"
    mosquitto.configuration.write_text(text)
    yield made
    mosquitto.stop()


class Client:
    """A signed-in client that notes what it receives."""

    def __init__(self, port: int, name: str, password: str, topic_filter: str | None = None) -> None:
        self.received: list[str] = []
        self.acknowledged: set[int] = set()
        self.refused = False
        self.ready = False
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"client-{name.replace('/', '-')}")
        client.username_pw_set(name, password)
        client.on_message = lambda _client, _data, message: self.received.append(message.topic)
        client.on_publish = lambda _client, _data, number, *_: self.acknowledged.add(number)
        client.on_subscribe = lambda *_: setattr(self, "ready", True)

        def on_connect(
            client: mqtt.Client, data: object, flags: mqtt.ConnectFlags, reason: ReasonCode, properties: object
        ) -> None:
            self.refused = reason.is_failure
            if topic_filter is None or self.refused:
                self.ready = True
            else:
                client.subscribe(topic_filter, qos=1)

        client.on_connect = on_connect
        client.connect("127.0.0.1", port)
        client.loop_start()
        self.client = client
        wait_until(
            lambda: self.ready and (self.refused or client.is_connected()), what=f"{name} to be let in or refused"
        )

    def publish(self, *topics: str) -> None:
        """Each is acknowledged, also those that the broker denies; some versions then end the connection."""
        for topic in topics:
            wait_until(self.client.is_connected, what="the connection")
            message = self.client.publish(topic, b"{}", qos=1)
            number = message.mid
            wait_until(partial(self.acknowledged.__contains__, number), what=f"an answer to {topic}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_device_publishes_below_its_own_serial_and_nowhere_else(installation: Installation) -> None:
    device_password = installation.add("SN-0001")
    gateway_password = installation.add("gateway/GW-1")
    installation.mosquitto.start()
    port = installation.mosquitto.port
    ingest = Client(port, "forewarn-ingest", installation.ingest_password(), "forewarn/v1/#")
    device = Client(port, "SN-0001", device_password)
    gateway = Client(port, "gateway/GW-1", gateway_password)
    try:
        device.publish(
            "forewarn/v1/SN-0002/telemetry",
            "forewarn/v1/gateway/GW-1/telemetry",
            "forewarn/v1/gateway/SN-0001/telemetry",  # there it could speak for every other device
            "forewarn/v1/SN-0001/down/config",
            "forewarn/v1/SN-0001/telemetry",
        )
        gateway.publish(
            "forewarn/v1/gateway/GW-2/telemetry", "forewarn/v1/GW-1/telemetry", "forewarn/v1/gateway/GW-1/telemetry"
        )
        wait_until(lambda: len(ingest.received) >= 2, what="what may pass")
        assert sorted(ingest.received) == ["forewarn/v1/SN-0001/telemetry", "forewarn/v1/gateway/GW-1/telemetry"]
    finally:
        for client in (ingest, device, gateway):
            client.close()


def test_a_device_reads_what_is_sent_down_to_it_and_nothing_else(installation: Installation) -> None:
    password = installation.add("SN-0001")
    installation.mosquitto.start()
    port = installation.mosquitto.port
    device = Client(port, "SN-0001", password, "forewarn/v1/#")
    ingest = Client(port, "forewarn-ingest", installation.ingest_password())
    try:
        ingest.publish("forewarn/v1/SN-0002/down/config", "forewarn/v1/SN-0001/down/config")
        wait_until(lambda: device.received, what="the device's own message")
        assert device.received == ["forewarn/v1/SN-0001/down/config"]
    finally:
        device.close()
        ingest.close()


def test_accounts_come_and_go_without_a_restart(installation: Installation) -> None:
    installation.mosquitto.start()
    port = installation.mosquitto.port
    assert installation.mosquitto.process is not None
    password = installation.add("SN-0001")
    assert installation.accounts("add", "SN-0001").returncode == 1
    installation.mosquitto.process.send_signal(SIGHUP)

    def is_refused() -> bool:
        client = Client(port, "SN-0001", password)
        client.close()
        return client.refused

    wait_until(lambda: not is_refused(), what="the account to be known", every_s=0.2)
    assert installation.accounts("remove", "SN-0001").returncode == 0
    installation.mosquitto.process.send_signal(SIGHUP)
    wait_until(is_refused, what="the account to be gone", every_s=0.2)


def test_secrets_are_made_once_and_kept_private(installation: Installation) -> None:
    before = (installation.folder / ".env").read_text()
    assert installation.accounts("init").returncode == 1
    assert (installation.folder / ".env").read_text() == before
    assert (installation.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert (installation.folder / "secrets").stat().st_mode & 0o777 == 0o700
    assert installation.ingest_password() not in (installation.folder / "secrets" / "mosquitto.passwd").read_text()
    assert installation.accounts("add", "bad name").returncode == 1
    for reserved in ("forewarn-ingest", "gateway", "gateway/", "gateway/a/b", "a/b"):
        assert installation.accounts("add", reserved).returncode == 1
