"""The gate before the real embedded broker: who is let in with what, and what is hung up on."""

import asyncio
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from accounts.account_file import AccountFile
from accounts.broker import BrokerRefusedError
from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress
from domain.errors import ConfigurationError
from forewarn import broker_gate
from forewarn.broker_gate import GateSettings
from forewarn.certificates import issue_server_certificate, make_authority
from forewarn.child_process import end
from forewarn.connections import find_account_file
from forewarn.embedded_broker import MAX_PAYLOAD, spawn_broker, write_configuration, write_gate
from forewarn.mqtt_packets import BAD_ACCOUNT
from forewarn.plans import plan_broker
from forewarn.settings import Settings
from simulators.puback_socket import encode_connect
from tests.support import mqtt_client
from tests.support.mqtt_client import Client
from tests.support.services import find_free_port, is_listening
from tests.support.waiting import wait_until

CA = "ca.crt"


@dataclass(frozen=True, slots=True)
class Gated:
    folder: Path
    broker_port: int
    gate_port: int

    @property
    def accounts(self) -> AccountFile:
        return AccountFile(self.folder / "secrets" / "accounts.json")

    @property
    def inside(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.broker_port)

    def outside(self, username: str | None, password: str | None = "secret") -> BrokerAddress:
        ca_file = str(self.folder / CA)
        return BrokerAddress("127.0.0.1", self.gate_port, True, username, password, ca_file=ca_file)


@pytest.fixture(scope="module")
def gated() -> Iterator[Gated]:
    """The embedded broker's child process with a gate that speaks TLS; one for the module."""
    with tempfile.TemporaryDirectory(prefix="forewarn-gate-") as name:
        folder = Path(name)
        made = Gated(folder, find_free_port(), find_free_port())
        make_authority(folder)
        issued = issue_server_certificate(folder, ["127.0.0.1"])
        write_configuration(folder / "broker.toml", port=made.broker_port, buffer_mib=32)
        gate = GateSettings(
            host="127.0.0.1",
            port=made.gate_port,
            broker_port=made.broker_port,
            accounts=folder / "secrets" / "accounts.json",
            packet_limit=MAX_PAYLOAD + 65_536,
            cert_file=str(issued.certificate),
            key_file=str(issued.key),
            poll_s=0.05,
        )
        write_gate(folder / "gate.json", gate)
        log = folder / "broker.log"
        process = spawn_broker(folder / "broker.toml", log, folder / "gate.json")
        try:
            wait_until(
                lambda: process.poll() is not None or (is_listening(made.broker_port) and is_listening(made.gate_port)),
                what="broker and gate to listen",
            )
            assert process.poll() is None, log.read_text()
            yield made
        finally:
            end(process, with_signal=SIGTERM, timeout_s=60)


@contextmanager
def connected(address: BrokerAddress, client_id: str = "", **more: Any) -> Iterator[Client]:
    with mqtt_client.connected(address, client_id, protocol=MQTTProtocolVersion.MQTTv311, **more) as client:
        yield client


def make_account(gated: Gated, name: str, password: str = "secret", kind: AccountKind = AccountKind.DEVICE) -> None:
    """The gate knows it on return."""
    account = BrokerAccount(kind, name)
    gated.accounts.set_account(account, password)

    def is_let_in() -> bool:
        with connected(gated.outside(account.username, password)) as client:
            return not client.refusal

    wait_until(is_let_in, what=f"the account of {name}")


def test_a_device_speaks_and_hears_below_its_own_serial_and_is_hung_up_on_elsewhere(gated: Gated) -> None:
    make_account(gated, "SN-1")
    with connected(gated.inside, "forewarn-ingest") as ingest:
        assert ingest.subscribe("#")
        with connected(gated.outside("SN-1")) as device:
            assert device.subscribe("forewarn/v1/SN-1/down/#")
            ingest.publish("forewarn/v1/SN-1/down/config")
            device.publish("forewarn/v1/SN-1/telemetry", b"x" * (1 << 20))
            wait_until(
                lambda: device.received and "forewarn/v1/SN-1/telemetry" in ingest.received, what="both messages"
            )
        for foreign in (
            "forewarn/v1/SN-2/telemetry",
            "forewarn/v1/gateway/SN-1/telemetry",
            "forewarn/v1/SN-1/down/config",
            "v1/gateway/telemetry",
        ):
            with connected(gated.outside("SN-1")) as device:
                assert device.is_cut_off_by(foreign), foreign
        for foreign in ("#", "forewarn/v1/#", "forewarn/v1/SN-2/down/#"):
            with connected(gated.outside("SN-1")) as device, pytest.raises(AssertionError, match="hung up"):
                device.subscribe(foreign)
        assert set(ingest.received) == {"forewarn/v1/SN-1/down/config", "forewarn/v1/SN-1/telemetry"}


def test_a_gateway_speaks_below_its_own_name(gated: Gated) -> None:
    make_account(gated, "GW-1", kind=AccountKind.GATEWAY)
    with connected(gated.outside("gateway/GW-1")) as gateway:
        gateway.publish("forewarn/v1/gateway/GW-1/telemetry")
        gateway.publish("spBv1.0/Ward 3/DDATA/GW-1/SN-1")
        assert gateway.is_cut_off_by("forewarn/v1/gateway/GW-2/telemetry")


def test_strangers_wrong_passwords_and_foreign_wills_are_refused(gated: Gated) -> None:
    make_account(gated, "SN-3")
    for username, password in ((None, None), ("", ""), ("SN-3", "wrong"), ("SN-3", None), ("NOBODY", "secret")):
        with connected(gated.outside(username, password)) as client:
            assert client.refusal == "Not authorized", (username, password)
    with connected(gated.outside("SN-3"), will="forewarn/v1/SN-4/status") as client:
        assert client.refusal == "Not authorized"
    with connected(gated.outside("SN-3"), will="forewarn/v1/SN-3/status") as client:
        assert not client.refusal
    with mqtt_client.connected(gated.outside("SN-3")) as version_5:
        assert version_5.refusal


def test_nobody_takes_the_session_of_another_over(gated: Gated) -> None:
    make_account(gated, "SN-5")
    with connected(gated.inside, "forewarn-ingest") as ingest:
        assert ingest.subscribe("forewarn/v1/SN-5/+")
        with connected(gated.outside("SN-5"), "forewarn-ingest") as thief:
            thief.publish("forewarn/v1/SN-5/status")
            wait_until(lambda: ingest.received, what="the message")
        assert not ingest.disconnected


def test_nobody_becomes_another_on_the_way(gated: Gated) -> None:
    make_account(gated, "SN-11")
    context = ssl.create_default_context(cafile=str(gated.folder / CA))
    connect = encode_connect(gated.outside("SN-11"), "any")
    with (
        socket.create_connection(("127.0.0.1", gated.gate_port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as device,
    ):
        device.sendall(connect)
        assert device.recv(4) == b"\x20\x02\x00\x00"
        device.sendall(encode_connect(gated.inside, "forewarn-ingest"))
        assert device.recv(4096) == b""


def test_a_new_password_or_none_hangs_up_on_who_is_there(gated: Gated) -> None:
    make_account(gated, "SN-6", "first")
    make_account(gated, "SN-7")
    with connected(gated.outside("SN-7")) as other:
        with connected(gated.outside("SN-6", "first")) as before:
            make_account(gated, "SN-6", "second")
            wait_until(lambda: before.disconnected, what="the old connection to end")
        with connected(gated.outside("SN-6", "second")) as after:
            gated.accounts.remove_account(BrokerAccount(AccountKind.DEVICE, "SN-6"))
            wait_until(lambda: after.disconnected, what="the revoked connection to end")
        with connected(gated.outside("SN-6", "second")) as gone:
            assert gone.refusal == "Not authorized"
        assert not other.disconnected
        other.publish("forewarn/v1/SN-7/status")


def test_no_password_is_kept_and_the_file_is_its_owners(gated: Gated) -> None:
    make_account(gated, "SN-8", "a-password-in-clear")
    file = gated.folder / "secrets" / "accounts.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "SN-8" in gated.accounts.load_usernames()
    kept = [file, gated.folder / "gate.json", gated.folder / "broker.toml", gated.folder / "broker.log"]
    assert not any("a-password-in-clear" in path.read_text() for path in kept)
    with pytest.raises(BrokerRefusedError, match="passwords alone"):
        gated.accounts.set_account(BrokerAccount(AccountKind.DEVICE, "SN-8"), None)


def test_forewarn_up_opens_the_gate_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    port = find_free_port()
    settings = Settings(var=tmp_path, mqtt_port=find_free_port(), broker_gate=f"127.0.0.1:{port}")
    (tmp_path / "log").mkdir()
    AccountFile(find_account_file(settings)).set_account(BrokerAccount(AccountKind.DEVICE, "SN-10"), "secret")
    plan = plan_broker(settings)
    process = plan.spawn()
    try:
        wait_until(lambda: process.poll() is not None or plan.is_ready(), what="the broker with its gate")
        with connected(BrokerAddress("127.0.0.1", port, username="SN-10", password="secret")) as device:
            device.publish("forewarn/v1/SN-10/status")
        with connected(BrokerAddress("127.0.0.1", port)) as stranger:
            assert stranger.refusal == "Not authorized"
    finally:
        end(process, with_signal=SIGTERM, timeout_s=60)
    for wrong in ({"broker_gate": "0.0.0.0:99999"}, {"broker_gate": "0.0.0.0:1", "broker_key_file": tmp_path}):
        with pytest.raises(ConfigurationError):
            plan_broker(settings.model_copy(update=wrong))


def test_what_is_no_mqtt_is_hung_up_on_and_the_gate_goes_on(gated: Gated) -> None:
    make_account(gated, "SN-9")
    context = ssl.create_default_context(cafile=str(gated.folder / CA))
    for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x10\xff\xff\xff\xff\xff", b"\x00" * 10, b"\xc0\x00", b"\x10\x00"):
        with (
            socket.create_connection(("127.0.0.1", gated.gate_port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as stranger,
        ):
            stranger.sendall(nonsense)
            assert stranger.recv(4096) == b""
    with connected(gated.outside("SN-9")) as device:
        device.publish("forewarn/v1/SN-9/status")


def test_who_says_nothing_takes_no_place_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_gate, "MOST_UNKNOWN", 3)
    settings = GateSettings("127.0.0.1", find_free_port(), find_free_port(), tmp_path / "accounts.json", 1 << 20)

    async def crowd() -> tuple[bytes, bytes]:
        serving = asyncio.create_task(broker_gate.Gate(settings).serve())
        async with asyncio.timeout(60):
            silent = [await _open(settings.port) for _ in range(4)]
            first = await silent[0][0].read()
            silent[3][1].write(encode_connect(BrokerAddress("127.0.0.1", settings.port), "any"))
            answer = await silent[3][0].read()
        for _, writer in silent:
            writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return first, answer

    assert asyncio.run(crowd()) == (b"", BAD_ACCOUNT)


async def _open(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
