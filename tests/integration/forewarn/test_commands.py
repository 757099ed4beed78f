"""The command line on a real database: what it prints, what it changes, what it exits with."""

import json
from datetime import timedelta
from pathlib import Path

import psycopg
from typer.main import get_command

from api.passwords import hash_secret, make_session_token, matches_password
from api.state import now
from forewarn.cli import build_app
from store.audit import load_audit_events
from store.pool import open_connection
from store.second_factors import begin_second_factor, confirm_second_factor, load_second_factor
from store.sessions import load_sessions_of, record_session
from store.users import load_user
from tests.support.command_line import Run
from tests.support.databases import Database
from tests.support.services import find_free_port


def test_migrate_says_what_it_did(forewarn: Run) -> None:
    answer = forewarn("migrate", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out) == {"applied": [], "flavour": "postgresql"}


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


def test_a_new_password_and_a_removed_factor_end_the_sessions(forewarn: Run, database: Database) -> None:
    forewarn("users", "add", "mwang", "--role", "technician")
    assert forewarn("users", "remove-factor", "mwang", "--reason", "phone lost").code == 1
    with open_connection(database.url, application="test") as conn:
        user = load_user(conn, "mwang")
        assert user is not None

        def open_one() -> None:
            record_session(conn, make_session_token().encode(), user.id, "csrf", now() + timedelta(hours=1))
            conn.commit()

        def count() -> int:
            return len(load_sessions_of(conn, user.id, at=now(), idle=timedelta(hours=1)))

        open_one()
        forewarn("users", "password", "mwang")
        assert count() == 0
        open_one()
        assert begin_second_factor(conn, user.id, b"sealed", session_id=1, at=now())
        assert confirm_second_factor(conn, user.id, step=1, code_hashes=[b"hash"], at=now())
        conn.commit()
        assert forewarn("users", "remove-factor", "mwang", "--reason", "  ").code == 2
        assert count() == 1
        assert forewarn("users", "remove-factor", "mwang", "--reason", "phone lost").code == 0
        assert count() == 0
        assert load_second_factor(conn, user.id) is None
        event = load_audit_events(conn, limit=1)[0]
    assert (event.action, event.actor, event.reason) == ("user.second_factor_removed", "cli", "phone lost")


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
    swap = "UPDATE audit_event SET seq = CASE seq WHEN 1 THEN -2 ELSE -1 END; UPDATE audit_event SET seq = -seq"
    for statement, found in (
        (swap, "event 2: reordered: event 2 was recorded as event 1"),
        (f"{swap}; UPDATE audit_event SET entity_id = 'three' WHERE seq = 2", "event 2: changed"),
        ("DELETE FROM audit_event WHERE seq = 1", "event 1: removed"),
    ):
        with psycopg.connect(database.owner_url) as conn:
            conn.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_event_write_once")
            conn.execute(statement.encode())
        answer = forewarn("audit", "verify")
        assert answer.code == 1
        assert found in answer.err
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
