"""The command line on a real database: what it prints, what it changes, what it exits with."""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from io import BytesIO, TextIOWrapper
from pathlib import Path

import psycopg
import pytest
from typer.main import get_command

from api.passwords import hash_secret, matches_password
from domain.audit import Actor, Signature
from domain.monitor_quality import Threshold
from domain.profile import Direction, MonitorRule
from domain.threshold_proposal import ProposalState
from forewarn.cli import build_app, main
from forewarn.commands.profiles import load_bundled_profiles
from store.pool import open_connection
from store.profiles import load_profile
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import propose_threshold, record_backtest
from tests.support.databases import Database
from tests.support.models import add_engineer
from tests.support.scoring import select
from tests.support.services import find_free_port

Run = Callable[..., "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def forewarn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `forewarn` as a person would, on a fresh database; in this process, which saves its start."""
    for name in [name for name in os.environ if name.startswith("FOREWARN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FOREWARN_DATABASE_URL", database.url)
    monkeypatch.setenv("FOREWARN_DATABASE_OWNER_URL", database.owner_url)
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, stdin: str = "", **environment: str) -> Answer:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["forewarn", *arguments])
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            captured = capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


def test_migrate_says_what_it_did(forewarn: Run) -> None:
    answer = forewarn("migrate", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out) == {"applied": [], "flavour": "postgresql"}


def test_bundled_profiles_are_applied_once(forewarn: Run) -> None:
    first = json.loads(forewarn("profiles", "apply", "--bundled", "--json").out)["applied"]
    again = json.loads(forewarn("profiles", "apply", "--bundled", "--json").out)["applied"]
    assert {row["outcome"] for row in first} == {"new"}
    assert {row["outcome"] for row in again} == {"unchanged"}
    listed = json.loads(forewarn("profiles", "list", "--json").out)
    assert {row["model"] for row in listed if row["is_current"]} == {row["model"] for row in first}


def test_a_profile_of_safety_critical_devices_in_service_is_applied_with_its_reason(
    forewarn: Run, database: Database, tmp_path: Path
) -> None:
    forewarn("profiles", "apply", "--bundled")
    text = resources.files("profiles").joinpath("infusion_pump.yaml").read_text("utf-8")
    file = tmp_path / "changed.yaml"
    file.write_text(re.sub(r"(?m)^version: .*$", "version: 99", text))
    with psycopg.connect(database.url) as conn:
        conn.execute(
            "INSERT INTO device (device_model_id, serial, lifecycle, shard)"
            " SELECT id, 'P-1', 'IN_SERVICE', 0 FROM device_model WHERE key = 'INF-200' AND safety_critical"
        )
    refused = forewarn("profiles", "apply", str(file))
    assert refused.code == 2
    assert "--reason" in refused.err
    assert "1 of its devices" in " ".join(refused.err.split())
    assert forewarn("profiles", "apply", str(file), "--reason", "range of the new sensor").code == 0
    with psycopg.connect(database.url) as conn:
        written = conn.execute(
            "SELECT actor, role, reason, after ->> 'version' FROM audit_event ORDER BY seq"
        ).fetchall()
    assert written[-1] == ("cli", "operator", "range of the new sensor", "99")
    # A start with what is bundled leaves the newer one in place, and a file that changes nothing needs no reason.
    again = json.loads(forewarn("profiles", "apply", "--bundled", str(file), "--json").out)["applied"]
    assert [row["outcome"] for row in again if row["model"] == "INF-200"] == ["kept", "unchanged"]


def test_an_accepted_threshold_outlives_a_newer_bundled_profile_and_is_undone_only_with_a_reason(
    forewarn: Run, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forewarn("profiles", "apply", "--bundled")
    with open_connection(database.url, application="test", autocommit=True) as conn:
        first = load_profile(conn, "INF-200")
        assert first is not None
        monitor = next(m for m in first.monitors if m.rule is MonitorRule.LIMIT and m.direction is Direction.HIGH)
        assert monitor.raise_at is not None
        found = Threshold(monitor.raise_at * 1.01, monitor.raise_at, 3, 1, 3, (1.0,), (2.0,))
        machine = Actor("service-link", "", "")
        code = propose_threshold(conn, machine, first, monitor, found, {"in_vain": 3}, datetime.now(UTC))
        assert code is not None
        with conn.transaction():
            record_backtest(conn, machine, code, {}, datetime.now(UTC))
        for name, to in (("eva", ProposalState.ENDORSED), ("ben", ProposalState.ACCEPTED)):
            person = add_engineer(conn, name)
            assert person.user_id is not None
            with conn.transaction():
                record_proposal_decision(
                    conn, person, code, to, reason="fewer", signature=Signature(person.user_id, name, "Reviewed"),
                    expected_row_version=None, now=datetime.now(UTC),
                )  # fmt: skip
    newer = [replace(p, version=p.version + 10) for p in load_bundled_profiles()]
    monkeypatch.setattr("forewarn.commands.profiles.load_bundled_profiles", lambda: newer)

    def threshold() -> tuple[int, float | None]:
        with open_connection(database.url, application="test") as conn:
            now = load_profile(conn, "INF-200")
        assert now is not None
        return now.version, next(m.raise_at for m in now.monitors if m.key == monitor.key)

    accepted = (first.version + 1, found.raise_at)
    for _ in range(2):
        kept = forewarn("profiles", "apply", "--bundled", "--json")
        outcomes = {row["model"]: row["outcome"] for row in json.loads(kept.out)["applied"]}
        assert outcomes.pop("INF-200") == "kept"
        assert (
            f"made by ben, is kept; the bundled version {first.version + 10} is another and would undo {code}"
            in kept.err
        )
        assert threshold() == accepted
    assert "kept" not in outcomes.values(), "nobody decided anything about the others"
    noted = "SELECT after FROM audit_event WHERE action = 'profile.kept'"
    assert select(database.url, noted) == [
        {"after": {"version": first.version + 1, "bundled_version": first.version + 10}}
    ]

    file = tmp_path / "pump.yaml"
    text = resources.files("profiles").joinpath("infusion_pump.yaml").read_text("utf-8")
    file.write_text(re.sub(r"(?m)^version: .*$", f"version: {first.version + 2}", text))
    asked = forewarn("profiles", "apply", str(file))
    assert (asked.code, code in asked.err, "--reason" in asked.err) == (2, True, True)
    assert threshold() == accepted
    assert forewarn("profiles", "apply", "--bundled", "--reason", "the new sensor needs it").code == 0
    assert threshold() == (first.version + 10, monitor.raise_at)
    (applied,) = select(
        database.url,
        "SELECT actor, role, reason, after -> 'undone' AS undone FROM audit_event WHERE action = 'profile.applied'"
        " AND after ? 'undone'",
    )
    assert (applied["actor"], applied["role"], applied["reason"]) == ("cli", "operator", "the new sensor needs it")
    assert [(u["code"], u["monitor"], u["was"]["raise_at"]) for u in applied["undone"]] == [
        (code, monitor.key, found.raise_at)
    ]
    assert json.loads(forewarn("audit", "verify", "--json").out)["problems"] == []


def test_a_wrong_profile_is_reported_with_its_line_and_nothing_is_applied(forewarn: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("model: X-1\nversion: none\n")
    answer = forewarn("profiles", "apply", str(file), "--bundled")
    assert answer.code == 1
    assert "wrong.yaml:2" in answer.err
    assert json.loads(forewarn("profiles", "list", "--json").out) == []


def test_devices_come_in_from_a_pipe(forewarn: Run) -> None:
    forewarn("profiles", "apply", "--bundled")
    csv = "serial,model,customer_ref,customer_name\nMY-0001,INF-200,C-1,上海医院\nMY-0002,NONE-1,,\n"
    dry = forewarn("devices", "import", "-", "--dry-run", "--json", stdin=csv)
    assert json.loads(dry.out)["created"] == 1
    assert json.loads(forewarn("devices", "list", "--json").out) == []
    answer = forewarn("devices", "import", "-", stdin=csv)
    assert answer.code == 1, "a line was left out"
    assert "line 3, model: 'NONE-1' is not known" in answer.err
    assert "1 created" in answer.err
    (device,) = json.loads(forewarn("devices", "list", "--json").out)
    assert device["serial"] == "MY-0001"
    assert "temperature" in device["sensors"]


def test_an_account_is_made_once_and_its_password_works(forewarn: Run, database: Database) -> None:
    made = json.loads(forewarn("users", "add", "mwang", "--role", "technician", "--role", "auditor", "--json").out)
    with psycopg.connect(database.url) as conn:
        row = conn.execute("SELECT password_hash, roles, must_change_password FROM app_user").fetchone()
    assert row is not None
    assert matches_password(row[0], made["password"])
    assert row[1:] == (["technician", "auditor"], True)
    again = forewarn("users", "add", "mwang", "--role", "admin")
    assert again.code == 1
    assert "already" in again.err
    renewed = json.loads(forewarn("users", "password", "mwang", "--json").out)["password"]
    assert renewed != made["password"]
    assert forewarn("users", "password", "nobody").code == 1
    assert [user["name"] for user in json.loads(forewarn("users", "list", "--json").out)] == ["mwang"]
    assert json.loads(forewarn("audit", "verify", "--json").out)["checked"] == 2


def test_a_technician_is_certified_for_a_known_model_only(forewarn: Run, database: Database) -> None:
    forewarn("profiles", "apply", "--bundled")
    forewarn("users", "add", "mwang", "--role", "technician")
    assert forewarn("users", "certify", "mwang", "INF-200", "--until", "2027-12-31").code == 0
    with psycopg.connect(database.url) as conn:
        assert conn.execute("SELECT valid_until::text FROM technician_certificate").fetchall() == [("2027-12-31",)]
    assert forewarn("users", "certify", "mwang", "NONE-1", "--until", "2027-12-31").code == 1
    assert forewarn("users", "certify", "mwang", "INF-200", "--until", "31.12.2027").code == 2


def test_a_token_is_printed_once_and_kept_hashed(forewarn: Run, database: Database) -> None:
    answer = forewarn("tokens", "create", "--role", "integrator", "--name", "erp")
    token = answer.out.strip()
    with psycopg.connect(database.url) as conn:
        assert conn.execute("SELECT token_hash, role FROM api_token").fetchone() == (hash_secret(token), "integrator")
    listed = forewarn("tokens", "list", "--json").out
    assert token not in listed
    assert forewarn("tokens", "create", "--role", "auditor", "--name", "erp").code == 1
    assert forewarn("tokens", "revoke", "erp").code == 0
    assert json.loads(forewarn("tokens", "list", "--json").out)[0]["revoked_at"] is not None
    assert forewarn("tokens", "revoke", "other").code == 1


def test_a_broken_audit_chain_is_found(forewarn: Run, database: Database) -> None:
    forewarn("users", "add", "one", "--role", "auditor")
    forewarn("users", "add", "two", "--role", "auditor")
    assert forewarn("audit", "verify").code == 0
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_write_once")
        conn.execute("UPDATE audit_event SET entity_id = 'three' WHERE seq = 2")
    answer = forewarn("audit", "verify")
    assert answer.code == 1
    assert "event 2: changed" in answer.err
    assert "THE CHAIN IS BROKEN" in answer.err


def test_config_shows_no_password(forewarn: Run) -> None:
    answer = forewarn(
        "config", "--json", "--all", FOREWARN_MQTT_URL="mqtt://u:geheim@b", FOREWARN_INGEST_MQTT_PASSWORD="geheim",
        FOREWARN_HTPP_PORT="1",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "geheim" not in answer.out + answer.err
    shown = json.loads(answer.out)
    rows = {row["variable"]: row for row in shown["settings"]}
    assert rows["FOREWARN_MQTT_URL"]["value"] == "mqtt://u:***@b"
    assert rows["FOREWARN_MQTT_URL"]["source"] == "environment FOREWARN_MQTT_URL"
    assert rows["FOREWARN_INGEST_MQTT_PASSWORD"]["value"] == "***"
    assert rows["FOREWARN_HTTP_PORT"] == {
        "variable": "FOREWARN_HTTP_PORT", "value": "8000", "source": "default",
        "meaning": rows["FOREWARN_HTTP_PORT"]["meaning"],
    }  # fmt: skip
    assert shown["unknown_variables"] == ["FOREWARN_HTPP_PORT"]


def test_config_shows_all_settings_before_the_first_start(forewarn: Run, tmp_path: Path) -> None:
    answer = forewarn("config", "--json", "--all", FOREWARN_DATABASE_URL="", FOREWARN_VAR=str(tmp_path / "none"))
    assert answer.code == 0, answer.err
    rows = {row["variable"]: row for row in json.loads(answer.out)["settings"]}
    assert rows["FOREWARN_DATABASE_URL"]["value"] == ""
    assert rows["FOREWARN_INGEST_FOLD_S"]["value"] == "10.0"


def test_errors_are_one_message_with_an_exit_code_and_no_trace(forewarn: Run, tmp_path: Path) -> None:
    cases = {
        3: forewarn("migrate", FOREWARN_HTTP_PORT="many"),
        4: forewarn("users", "list", FOREWARN_DATABASE_URL=f"postgresql://u:geheim@127.0.0.1:{find_free_port()}/f"),
        2: forewarn("tokens", "create", "--role", "king", "--name", "x"),
        1: forewarn("tokens", "revoke", "nobody"),
    }
    for code, answer in cases.items():
        assert answer.code == code, answer.err
        assert answer.err.strip()
        assert "Traceback" not in answer.err
        assert "geheim" not in answer.err
    nowhere = forewarn("users", "list", FOREWARN_DATABASE_URL="", FOREWARN_VAR=str(tmp_path / "none"))
    assert nowhere.code == 3
    assert "forewarn up" in nowhere.err


def test_every_command_has_help_with_an_example(forewarn: Run) -> None:
    def walk(command: object, path: list[str]) -> list[tuple[str, str]]:
        commands = getattr(command, "commands", None)
        if commands is None:
            return [(" ".join(path), f"{getattr(command, 'epilog', '')}")]
        return [item for name, sub in commands.items() for item in walk(sub, [*path, name])]

    found = walk(get_command(build_app()), [])
    assert len(found) >= 22
    assert [path for path, epilog in found if "Example:" not in epilog] == []
    assert forewarn("demo", "--help").code == 0


def test_doctor_names_what_is_wrong_and_what_to_do(forewarn: Run, database: Database) -> None:
    answer = forewarn("doctor", "--json", FOREWARN_MQTT_URL=f"mqtt://127.0.0.1:{find_free_port()}")
    found = {finding["subject"]: finding for finding in json.loads(answer.out)["findings"]}
    assert answer.code == 1
    assert found["Database"]["state"] == "good"
    assert "up to date, postgresql" in found["Database"]["detail"]
    assert found["Broker"]["state"] == "bad"
    assert found["Program ingest"]["state"] == "note"
    with psycopg.connect(database.url) as conn:
        conn.execute(
            "INSERT INTO heartbeat (program, instance, at, started_at) VALUES "
            "('ingest', 'a', now(), now()), ('anomaly', 'a', now() - interval '1 hour', now() - interval '2 hours')"
        )
    assert forewarn("doctor", "--program", "ingest").code == 0
    silent = forewarn("doctor", "--program", "anomaly")
    assert silent.code == 1
    assert "silent for 1:00:" in silent.err
    assert forewarn("doctor", "--program", "cooking").code == 2


def test_doctor_tells_an_empty_database_from_a_migrated_one(forewarn: Run, database: Database) -> None:
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)")
    answer = forewarn("doctor", "--json")
    found = {finding["subject"]: finding for finding in json.loads(answer.out)["findings"]}
    assert found["Database"]["state"] == "bad"
    assert found["Database"]["advice"] == "Run `forewarn migrate`."
