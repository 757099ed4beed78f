"""Accounts at a real Mosquitto with the shipped configuration: who may say and hear what, and how that changes."""

import gc
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from accounts.broker import BrokerRefusedError, BrokerUnreachableError
from accounts.dynamic_security import DynamicSecurity
from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress
from domain.errors import ConfigurationError
from simulators.replay import run_replay
from simulators.settings import ReplaySettings
from tests.support.mqtt_client import connected, try_publish
from tests.support.secured_mosquitto import DEPLOY, SecuredMosquitto
from tests.support.services import find_free_port
from tests.support.waiting import wait_until

DENIED = "Not authorized"


def device(name: str) -> BrokerAccount:
    return BrokerAccount(AccountKind.DEVICE, name)


def sign_in(secured: SecuredMosquitto, username: str | None, password: str | None = "secret") -> BrokerAddress:
    return BrokerAddress("127.0.0.1", secured.devices_port, username=username, password=password)


def test_a_device_speaks_below_its_own_serial_and_hears_what_is_sent_to_it(secured: SecuredMosquitto) -> None:
    for name in ("SN-1", "SN-2"):
        secured.accounts.set_account(device(name), "secret")
    with connected(secured.ingest, "forewarn-ingest") as ingest:
        assert ingest.subscribe("forewarn/v1/#")
        for foreign in (
            "forewarn/v1/SN-2/telemetry",
            "forewarn/v1/gateway/SN-1/telemetry",  # there it could speak for every other device
            "forewarn/v1/SN-1/down/config",
            "v1/gateway/telemetry",
            "spBv1.0/G/NDATA/SN-1",
            "$CONTROL/dynamic-security/v1",
        ):
            assert try_publish(sign_in(secured, "SN-1"), foreign) == DENIED, foreign
        assert not ingest.received
    with (
        connected(secured.ingest, "forewarn-ingest") as ingest,
        connected(secured.service, "forewarn-service") as service,
        connected(sign_in(secured, "SN-1")) as sender,
    ):
        assert ingest.subscribe("forewarn/v1/#")
        assert sender.subscribe("forewarn/v1/SN-1/down/#")
        for foreign in ("forewarn/v1/SN-2/down/#", "forewarn/v1/#", "#", "$share/g/forewarn/v1/#", "$SYS/#"):
            assert not sender.subscribe(foreign), foreign
        assert sender.publish("forewarn/v1/SN-1/telemetry") != DENIED
        service.publish("forewarn/v1/SN-2/down/config")
        service.publish("forewarn/v1/SN-1/down/config")
        wait_until(lambda: sender.received and "forewarn/v1/SN-1/telemetry" in ingest.received, what="both messages")
        assert sender.received == ["forewarn/v1/SN-1/down/config"]


def test_a_gateway_speaks_below_its_own_name_in_every_format(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(BrokerAccount(AccountKind.GATEWAY, "GW-1"), "secret")
    secured.accounts.set_account(BrokerAccount(AccountKind.GATEWAY, "GW-TB", thingsboard=True), "secret")
    with (
        connected(sign_in(secured, "gateway/GW-1")) as gateway,
        connected(sign_in(secured, "gateway/GW-TB")) as thingsboard,
    ):
        for own in (
            "forewarn/v1/gateway/GW-1/telemetry",
            "spBv1.0/Ward 3/NBIRTH/GW-1",
            "spBv1.0/Ward 3/DDATA/GW-1/SN-1",
        ):
            assert gateway.publish(own) != DENIED, own
        assert gateway.subscribe("spBv1.0/Ward 3/NCMD/GW-1")
        assert gateway.subscribe("spBv1.0/+/DCMD/GW-1/#")
        assert not gateway.subscribe("spBv1.0/+/NCMD/+")
        assert thingsboard.publish("v1/gateway/telemetry") != DENIED
        assert thingsboard.publish("forewarn/v1/gateway/GW-1/telemetry") == DENIED
    for foreign in (
        "forewarn/v1/gateway/GW-2/telemetry",
        "forewarn/v1/GW-1/telemetry",
        "forewarn/v1/SN-1/telemetry",
        "spBv1.0/Ward 3/NBIRTH/GW-2",
        "spBv1.0/Ward 3/NCMD/GW-1",
        "spBv1.0/Ward 3/DDATA/GW-2/SN-1",
        "v1/gateway/telemetry",
    ):
        assert try_publish(sign_in(secured, "gateway/GW-1"), foreign) == DENIED, foreign


def test_ingest_hears_every_format_also_as_one_of_several_and_says_what_it_must(secured: SecuredMosquitto) -> None:
    with connected(secured.ingest, "forewarn-ingest-filters") as ingest:
        for own in ("forewarn/v1/+/+", "forewarn/v1/gateway/+/+", "v1/gateway/telemetry", "v1/gateway/+", "spBv1.0/#"):
            assert ingest.subscribe(own), own
            assert ingest.subscribe(f"$share/forewarn/{own}"), own
        assert ingest.publish("spBv1.0/Ward 3/NCMD/GW-1") != DENIED
        assert not ingest.subscribe("$CONTROL/#")
        assert not ingest.subscribe("#")
    for foreign in ("forewarn/v1/SN-1/telemetry", "spBv1.0/G/NDATA/GW-1", "$CONTROL/dynamic-security/v1"):
        assert try_publish(secured.ingest, foreign) == DENIED, foreign


def test_a_new_password_throws_out_who_has_the_old_one_and_a_revoked_account_everybody(
    secured: SecuredMosquitto,
) -> None:
    accounts = secured.accounts
    accounts.set_account(device("SN-ROT"), "first")
    with connected(sign_in(secured, "SN-ROT", "first")) as before:
        assert not before.refusal
        accounts.set_account(device("SN-ROT"), "second")
        wait_until(lambda: before.disconnected, what="the old connection to end")
    with connected(sign_in(secured, "SN-ROT", "first")) as old, connected(sign_in(secured, "SN-ROT", "second")) as new:
        assert old.refusal == DENIED
        assert new.publish("forewarn/v1/SN-ROT/status") != DENIED
        accounts.remove_account(device("SN-ROT"))
        wait_until(lambda: new.disconnected, what="the revoked connection to end")
    accounts.remove_account(device("SN-ROT"))  # again is no error
    with connected(sign_in(secured, "SN-ROT", "second")) as gone:
        assert gone.refusal == DENIED
    assert "SN-ROT" not in accounts.load_usernames()


def test_an_account_without_a_password_opens_nothing_without_a_certificate(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(device("SN-CERT"), None)
    for password in ("", "secret", None):
        with connected(sign_in(secured, "SN-CERT", password)) as client:
            assert client.refusal, repr(password)


def test_nobody_comes_in_without_an_account(secured: SecuredMosquitto) -> None:
    for username, password in ((None, None), ("SN-NOBODY", "x"), ("forewarn-ingest", "x"), ("forewarn-admin", "")):
        with connected(sign_in(secured, username, password)) as client:
            assert client.refusal, username


def test_a_replay_with_a_wrong_password_says_that_the_broker_refuses(
    secured: SecuredMosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    # It would go on trying for the whole of its time; it has its answer with the first refusal.
    monkeypatch.setattr("simulators.replay.CONNECT_TIMEOUT_S", 3.0)
    recording = tmp_path / "valve.csv"
    recording.write_text("time,flow\n2026-01-01T00:00:00Z,1\n", encoding="utf-8")
    url = f"mqtt://SN-NOBODY:geheim@127.0.0.1:{secured.devices_port}"
    with pytest.raises(ConfigurationError, match=DENIED) as caught:
        run_replay(ReplaySettings(url, recording, serial="SN-NOBODY"), stop)
    assert "geheim" not in str(caught.value)


def test_no_device_takes_over_the_session_of_ingest(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(device("SN-THIEF"), "secret")
    with (
        connected(secured.ingest, "forewarn-ingest") as ingest,
        connected(sign_in(secured, "SN-THIEF"), "forewarn-ingest") as thief,
    ):
        assert ingest.subscribe("forewarn/v1/SN-THIEF/+")
        thief.publish("forewarn/v1/SN-THIEF/status")
        wait_until(lambda: ingest.received, what="the message")
        assert not ingest.disconnected


def test_who_may_not_manage_accounts_is_told_so(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(device("SN-3"), "secret")
    impostor = DynamicSecurity(sign_in(secured, "SN-3"), timeout_s=60)
    with pytest.raises(BrokerRefusedError, match="may not manage accounts"):
        impostor.set_account(device("SN-4"), "secret")
    with pytest.raises(BrokerRefusedError, match="administrator's account"):
        DynamicSecurity(replace(secured.admin, password="wrong"), timeout_s=60).load_usernames()
    with pytest.raises(BrokerUnreachableError, match=r"127\.0\.0\.1"):
        DynamicSecurity(replace(secured.admin, port=find_free_port()), timeout_s=2).load_usernames()
    assert "SN-4" not in secured.accounts.load_usernames()


def test_commands_to_the_broker_leave_nothing_open(secured: SecuredMosquitto) -> None:
    """A thousand devices are claimed in an hour, and looking for garbage may come late."""
    secured.accounts.set_account(device("SN-9"), "secret")
    gc.collect()
    gc.disable()
    try:
        before = psutil.Process().num_fds()
        for _ in range(5):
            secured.accounts.set_account(device("SN-9"), "secret")
        assert psutil.Process().num_fds() == before
    finally:
        gc.enable()


def test_the_broker_keeps_no_password_in_clear(secured: SecuredMosquitto) -> None:
    secured.accounts.set_account(device("SN-HASH"), "a-password-in-clear")
    kept = secured.folder / "data" / "dynamic-security.json"
    wait_until(lambda: "SN-HASH" in kept.read_text(), what="the account to be on disk")
    assert "a-password-in-clear" not in kept.read_text()
    assert "a-password-in-clear" not in (secured.folder / "mosquitto.log").read_text()


def test_first_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    command = [sys.executable, str(DEPLOY / "accounts.py"), "--folder", str(tmp_path), "init"]
    assert subprocess.run(command, check=False, timeout=60, capture_output=True).returncode == 0
    before = (tmp_path / ".env").read_text()
    assert subprocess.run(command, check=False, timeout=60, capture_output=True).returncode == 1
    assert (tmp_path / ".env").read_text() == before
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    passwords = [line.split("=", 1)[1] for line in before.splitlines() if "PASSWORD" in line]
    assert len(set(passwords)) == 6
    kept = (tmp_path / "secrets" / "dynamic-security.json").read_text()
    assert not any(password in kept for password in passwords)
