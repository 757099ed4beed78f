"""Credentials end to end: from the command or a claim code, through the database and the audit, to Mosquitto."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from accounts.account_file import load_known_accounts
from accounts.broker import BrokerUnreachableError
from accounts.credentials import (
    AccountNameError,
    Credentials,
    claim_credentials,
    issue_claim_code,
    issue_credentials,
    revoke_credentials,
)
from accounts.dynamic_security import DynamicSecurity
from domain.audit import Actor
from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress
from domain.errors import NotFoundError
from domain.roles import Role
from forewarn.cli import main
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.device_accounts import load_account
from store.installed_base import record_installed_base
from store.pool import open_connection
from tests.support.databases import Database, DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api
from tests.support.mqtt_client import connected
from tests.support.secured_mosquitto import SecuredMosquitto
from tests.support.services import find_free_port

ACTOR = Actor("eve", "engineer", "device.credentials")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def registered(postgres_server: DatabaseServer) -> Iterator[Database]:
    """One database with devices `T-0000` … `T-0011`, each for one test, behind the gateway GW-1."""
    with postgres_server.fresh_database() as fresh:
        register(fresh.url, PROFILE, make_devices(12, gateway="GW-1"))
        yield fresh


@pytest.fixture
def forewarn(
    registered: Database,
    secured: SecuredMosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `forewarn` as a person would; in this process, which saves its start."""
    for name in [name for name in os.environ if name.startswith("FOREWARN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FOREWARN_DATABASE_URL", registered.url)
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("FOREWARN_MQTT_ADMIN_URL", secured.admin_url)

    def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["forewarn", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            captured = capsys.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def api(registered: Database, secured: SecuredMosquitto) -> Iterator[Api]:
    with running_api(registered.url, broker_admin_url=secured.admin_url) as running:
        yield running


def device(serial: str) -> BrokerAccount:
    return BrokerAccount(AccountKind.DEVICE, serial)


def signs_in(secured: SecuredMosquitto, username: str, password: str | None) -> bool:
    with connected(BrokerAddress("127.0.0.1", secured.devices_port, username=username, password=password)) as client:
        return not client.refusal


def test_the_command_makes_rotates_and_revokes_an_account(
    forewarn: Run, secured: SecuredMosquitto, registered: Database
) -> None:
    code, out, err = forewarn("devices", "credentials", "T-0000")
    assert code == 0, err
    first = out.strip().removeprefix("T-0000: ")
    assert signs_in(secured, "T-0000", first)
    second = json.loads(forewarn("devices", "credentials", "T-0000", "--json")[1])
    assert second["rotated"] is True
    assert not signs_in(secured, "T-0000", first)
    assert signs_in(secured, "T-0000", second["password"])
    listed = json.loads(forewarn("devices", "accounts", "--json")[1])
    assert [(row["username"], row["state"]) for row in listed if row["name"] == "T-0000"] == [("T-0000", "ACTIVE")]
    assert json.loads(forewarn("devices", "credentials", "T-0000", "--revoke", "--json")[1])["revoked"] is True
    assert json.loads(forewarn("devices", "credentials", "T-0000", "--revoke", "--json")[1])["revoked"] is False
    assert not signs_in(secured, "T-0000", second["password"])
    with open_connection(registered.url, application="test") as conn:
        events = load_audit_events(conn, AuditFilter(entity="device", entity_id="T-0000"))
        assert [event.action for event in events[:3]] == [
            "device_account.revoked",
            "device_account.rotated",
            "device_account.created",
        ]
        assert verify_chain(conn).holds
    with psycopg.connect(registered.owner_url) as conn:
        kept = [str(row) for table in ("device_account", "audit_event") for row in conn.execute(f"TABLE {table}")]
    assert not any(secret in row for secret in (first, second["password"]) for row in kept)


def test_a_gateway_keeps_its_right_to_the_shared_topic_until_it_is_taken_away(
    forewarn: Run, secured: SecuredMosquitto
) -> None:
    def may_speak(answer: str) -> bool:
        account = json.loads(answer)
        address = BrokerAddress(
            "127.0.0.1", secured.devices_port, username="gateway/GW-1", password=account["password"]
        )
        with connected(address) as client:
            return client.publish("v1/gateway/telemetry") != "Not authorized"

    credentials = ("devices", "credentials", "GW-1", "--gateway", "--json")
    assert not may_speak(forewarn(*credentials)[1])
    assert may_speak(forewarn(*credentials, "--thingsboard")[1])
    assert may_speak(forewarn(*credentials)[1])
    assert not may_speak(forewarn(*credentials, "--no-thingsboard")[1])


def test_what_cannot_be_done_is_said_and_changes_nothing(forewarn: Run, registered: Database) -> None:
    for arguments, words in (
        (("NOBODY",), "no such record"),
        (("GW-NEW", "--gateway"), "no such record"),
        (("a/b",), "No account can be made"),
        (("forewarn-ingest",), "keeps for itself"),
        (("gateway",), "keeps for itself"),
    ):
        code, out, err = forewarn("devices", "credentials", *arguments)
        assert (code, out) == (1, ""), arguments
        assert words in err
    code, _, err = forewarn(
        "devices", "credentials", "T-0001", FOREWARN_MQTT_ADMIN_URL="", FOREWARN_MQTT_URL="mqtt://broker.example.org"
    )
    assert code == 3
    assert "FOREWARN_MQTT_ADMIN_URL" in err
    unreachable = f"mqtt://forewarn-admin:x@127.0.0.1:{find_free_port()}"
    code, out, err = forewarn("devices", "credentials", "T-0001", FOREWARN_MQTT_ADMIN_URL=unreachable)
    assert (code, out) == (1, "")
    assert "does not answer" in err
    with open_connection(registered.url, application="test") as conn:
        assert load_account(conn, "T-0001") is None


def test_without_a_broker_of_ones_own_accounts_are_the_embedded_brokers(forewarn: Run, tmp_path: Path) -> None:
    code, out, err = forewarn("devices", "credentials", "T-0008", "--json", FOREWARN_MQTT_ADMIN_URL="")
    assert code == 0
    assert "FOREWARN_BROKER_GATE is not set" in err
    kept = load_known_accounts(tmp_path / "var" / "secrets" / "broker-accounts.json")
    assert kept["T-0008"].has_password(json.loads(out)["password"])
    assert forewarn("devices", "credentials", "T-0008", "--certificate", FOREWARN_MQTT_ADMIN_URL="")[0] == 1
    assert forewarn("devices", "credentials", "T-0008", "--revoke", FOREWARN_MQTT_ADMIN_URL="")[0] == 0
    assert not load_known_accounts(tmp_path / "var" / "secrets" / "broker-accounts.json")


def test_assigning_a_gateway_stays_on_record(forewarn: Run, registered: Database) -> None:
    assert json.loads(forewarn("devices", "assign", "T-0002", "--gateway", "GW-2", "--json")[1])["changed"] is True
    assert json.loads(forewarn("devices", "assign", "T-0002", "--gateway", "GW-2", "--json")[1])["changed"] is False
    assert forewarn("devices", "assign", "T-0002", "--gateway", "")[0] == 0
    assert forewarn("devices", "assign", "T-0002", "--gateway", "a/b")[0] == 2
    assert forewarn("devices", "assign", "NOBODY", "--gateway", "GW-2")[0] == 1
    with open_connection(registered.url, application="test") as conn:
        record_installed_base(conn, make_devices(3, gateway="GW-3")[2:], actor="test", role="admin")
        history = conn.execute(
            "SELECT before, after, source FROM device_history h JOIN device d ON d.id = h.device_id"
            " WHERE serial = 'T-0002' AND field = 'gateway' ORDER BY h.id"
        ).fetchall()
        audited = load_audit_events(conn, AuditFilter(action="device.assigned", entity_id="T-0002"))
    assert history == [("GW-1", "GW-2", "user:cli"), ("GW-2", None, "user:cli"), (None, "GW-3", "import")]
    assert [(event.before, event.after) for event in audited] == [
        ({"gateway": "GW-2"}, {"gateway": None}),
        ({"gateway": "GW-1"}, {"gateway": "GW-2"}),
    ]


def test_a_device_fetches_its_account_once(
    forewarn: Run, api: Api, secured: SecuredMosquitto, registered: Database
) -> None:
    code = forewarn("devices", "claim-code", "T-0003")[1].strip()
    wrong = api.post("/devices/claim", json={"serial": "T-0003", "code": code[::-1]})
    assert (wrong.status_code, wrong.json()["type"]) == (401, "urn:forewarn:problem:wrong-claim")
    meant = code.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    claimed = api.post("/devices/claim", json={"serial": "T-0003", "code": meant})
    assert claimed.status_code == 200
    assert claimed.headers["cache-control"] == "no-store"
    assert signs_in(secured, "T-0003", claimed.json()["password"])
    again = api.post("/devices/claim", json={"serial": "T-0003", "code": code})
    unknown = api.post("/devices/claim", json={"serial": "T-9999", "code": code})
    assert again.status_code == unknown.status_code == 401
    assert again.json()["detail"] == unknown.json()["detail"]
    with psycopg.connect(registered.owner_url) as conn:
        kept = [str(row) for table in ("device_claim", "audit_event") for row in conn.execute(f"TABLE {table}")]
    assert not any(code in row for row in kept)


def test_one_code_opens_once_however_many_come_at_the_same_moment(
    registered: Database, secured: SecuredMosquitto
) -> None:
    with open_connection(registered.url, application="test") as conn:
        code = issue_claim_code(conn, ACTOR, "T-0004", expires_at=datetime.now(UTC) + timedelta(hours=1))
    start = threading.Barrier(6)
    claimed: list[Credentials | None] = []

    def claim() -> None:
        with open_connection(registered.url, application="test") as conn:
            start.wait()
            at = datetime.now(UTC)
            claimed.append(claim_credentials(conn, secured.accounts, "T-0004", code, at=at, request_id="r"))

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (made,) = [one for one in claimed if one is not None]
    assert len(claimed) == 6
    assert signs_in(secured, "T-0004", made.password)
    assert (made.password or "") not in repr(made)


def test_a_code_that_expired_or_was_replaced_or_withdrawn_opens_nothing(
    registered: Database, secured: SecuredMosquitto
) -> None:
    now = datetime.now(UTC)
    with open_connection(registered.url, application="test") as conn:
        first = issue_claim_code(conn, ACTOR, "T-0005", expires_at=now + timedelta(hours=1))
        second = issue_claim_code(conn, ACTOR, "T-0005", expires_at=now + timedelta(hours=1))

        def opens(code: str, at: datetime) -> bool:
            return claim_credentials(conn, secured.accounts, "T-0005", code, at=at, request_id="r") is not None

        assert not opens(first, now)
        assert not opens(second, now + timedelta(hours=2))
        revoke_credentials(conn, secured.accounts, ACTOR, device("T-0005"))
        assert not opens(second, now)
        third = issue_claim_code(conn, ACTOR, "T-0005", expires_at=now + timedelta(hours=1))
        assert opens(third, now)


def test_a_broker_that_is_away_uses_no_code_up_and_records_nothing(
    registered: Database, secured: SecuredMosquitto
) -> None:
    away = DynamicSecurity(BrokerAddress("127.0.0.1", find_free_port(), username="x", password="y"), timeout_s=2)
    now = datetime.now(UTC)
    with open_connection(registered.url, application="test") as conn:
        code = issue_claim_code(conn, ACTOR, "T-0006", expires_at=now + timedelta(hours=1))
        conn.commit()
        with pytest.raises(BrokerUnreachableError):
            claim_credentials(conn, away, "T-0006", code, at=now, request_id="r")
        conn.rollback()
        with pytest.raises(BrokerUnreachableError):
            issue_credentials(conn, away, ACTOR, device("T-0006"))
        conn.rollback()
        assert load_account(conn, "T-0006") is None
        assert claim_credentials(conn, secured.accounts, "T-0006", code, at=now, request_id="r") is not None
        with pytest.raises(NotFoundError):
            issue_claim_code(conn, ACTOR, "NOBODY", expires_at=now)
        with pytest.raises(AccountNameError):
            issue_claim_code(conn, ACTOR, "forewarn-api", expires_at=now)


def test_a_device_that_is_called_like_an_account_of_ours_takes_nobodys_away(
    registered: Database, secured: SecuredMosquitto
) -> None:
    before = secured.accounts.load_usernames()
    ours = next(name for name in before if name.startswith("forewarn"))
    with open_connection(registered.url, application="test") as conn:
        conn.execute("UPDATE device SET serial = %s WHERE serial = 'T-0011'", (ours,))
        with pytest.raises(AccountNameError):
            revoke_credentials(conn, secured.accounts, ACTOR, device(ours))
        conn.rollback()
    assert secured.accounts.load_usernames() == before


def test_a_code_of_a_device_out_of_service_opens_nothing(registered: Database, secured: SecuredMosquitto) -> None:
    now = datetime.now(UTC)
    with open_connection(registered.url, application="test") as conn:
        code = issue_claim_code(conn, ACTOR, "T-0011", expires_at=now + timedelta(hours=1))
        conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED' WHERE serial = 'T-0011'")
        assert claim_credentials(conn, secured.accounts, "T-0011", code, at=now, request_id="r") is None
        conn.rollback()


def test_engineers_make_and_revoke_accounts_by_the_api(api: Api, secured: SecuredMosquitto) -> None:
    headers = api.token(Role.ENGINEER)
    key = {"Idempotency-Key": "credentials-0001"}
    made = api.post("/devices/T-0007/credentials", headers=headers | key, json={})
    assert made.status_code == 201
    assert signs_in(secured, "T-0007", made.json()["password"])
    repeated = api.post("/devices/T-0007/credentials", headers=headers | key, json={})
    assert repeated.json()["password"] == ""
    account = api.get("/devices/T-0007", headers=headers).json()["account"]
    assert (account["username"], account["method"], account["state"]) == ("T-0007", "password", "ACTIVE")
    code = api.post("/devices/T-0007/claim-code", headers=headers, json={"hours": 1}).json()["code"]
    assert api.post("/devices/claim", json={"serial": "T-0007", "code": code}).json()["rotated"] is True
    assert api.request("DELETE", "/devices/T-0007/credentials", headers=headers).status_code == 204
    assert api.get("/devices/T-0007", headers=headers).json()["account"]["state"] == "REVOKED"
    assert "T-0007" not in secured.accounts.load_usernames()
    api.add_user("eve", Role.ENGINEER)
    page = api.client.get("/devices/T-0007", headers=api.sign_in("eve").reading)
    assert "Broker account" in page.text
    assert "revoked" in page.text
    for path in ("/devices/NOBODY/credentials", "/devices/NOBODY/claim-code"):
        assert api.post(path, headers=headers, json={}).status_code == 404
    assert api.get("/devices/T-0011", headers=headers).json()["account"] is None
    assert api.post("/devices/T-0011/credentials", headers=api.token(Role.TECHNICIAN), json={}).status_code == 403


def test_guessing_is_held_up_and_no_forwarded_request_is_answered_without_tls(api: Api) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    refused = api.post("/devices/claim", headers=forwarded, json={"serial": "T-0009", "code": "0000"})
    assert (refused.status_code, refused.json()["guard"]) == (403, "not_confidential")
    answers = [api.post("/devices/claim", json={"serial": "T-0009", "code": "0000"}).status_code for _ in range(6)]
    assert answers[0] == 401
    assert answers[-1] == 429


def test_an_api_without_administration_hands_out_nothing(registered: Database) -> None:
    with running_api(registered.url) as api:
        refused = api.post("/devices/claim", json={"serial": "T-0010", "code": "0000"})
        assert (refused.status_code, refused.json()["guard"]) == (409, "no_broker_administration")
        made = api.post("/devices/T-0010/credentials", headers=api.token(Role.ADMIN), json={})
        assert (made.status_code, made.json()["guard"]) == (409, "no_broker_administration")
