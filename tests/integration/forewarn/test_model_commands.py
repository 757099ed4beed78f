"""`forewarn models` on a real database: from training to the second engineer's password, and back."""

import json
import os
import random
import sys
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from api.passwords import hash_password
from forewarn.cli import main
from store.audit import AuditFilter, load_audit_events
from store.model_jobs import MODEL_JOBS
from store.pool import open_connection
from store.users import load_user, record_user
from tests.support.command_line import Answer, Run
from tests.support.databases import Database
from tests.support.fleet import MODEL, PROFILE, make_devices, register
from tests.support.scoring import Sample, write_blocks

PASSWORD = "correct horse battery"


@pytest.fixture
def forewarn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `forewarn` as a person would, on a fleet of four safety-critical devices with a history."""
    for name in [name for name in os.environ if name.startswith("FOREWARN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FOREWARN_DATABASE_URL", database.url)
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("forewarn.commands.models.typer.prompt", lambda *_, **__: os.environ["TEST_PASSWORD"])
    register(database.url, replace(PROFILE, safety_critical=True), make_devices(4))
    chance = random.Random(1)
    write_blocks(
        database.url,
        [
            Sample(f"T-{i:04d}", sensor, k, around + chance.gauss(0, 1))
            for k in range(200)
            for i in range(4)
            for sensor, around in (("level", 50.0), ("flow", 200.0))
        ],
    )
    with open_connection(database.url, application="test") as conn:
        for name, role in (("one", "engineer"), ("two", "engineer"), ("three", "technician"), ("new", "engineer")):
            record_user(
                conn, name=name, full_name=name.title(), password_hash=hash_password(PASSWORD), roles=[role],
                must_change_password=name == "new",
            )  # fmt: skip

    def run(*arguments: str, password: str = PASSWORD) -> Answer:
        with monkeypatch.context() as patch:
            patch.setenv("TEST_PASSWORD", password)
            patch.setattr(sys, "argv", ["forewarn", *arguments])
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"")))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            captured = capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


def test_from_training_to_live_by_two_engineers_and_back(forewarn: Run) -> None:
    trained = forewarn("models", "train", "--model", MODEL, "--json")
    assert trained.code == 0, trained.err
    assert "train: 100 %, 0 s left: registered as MOD-" in trained.err
    code = json.loads(trained.out)["code"]
    assert [m["state"] for m in json.loads(forewarn("models", "list", "--json").out)] == ["DRAFT"]
    assert forewarn("models", "shadow", code).code == 0

    early = forewarn("models", "activate", code, "--as", "one")
    assert (early.code, "backtest_missing" in early.err) == (1, True)
    tested = forewarn("models", "backtest", code, "--json")
    assert tested.code == 0, tested.err
    assert json.loads(tested.out)["device_days"] == 4
    late = forewarn("models", "backtest", code, "--settle-days", "7")
    assert "Nothing was compared" in late.err
    assert forewarn("models", "backtest", code, "--settle-days", "1e12").code == 2

    assert "person_needed" in forewarn("models", "activate", code).err
    assert "password is wrong" in forewarn("models", "activate", code, "--as", "one", password="guess").err
    assert "only an engineer" in forewarn("models", "activate", code, "--as", "three").err
    assert "somebody else set" in forewarn("models", "activate", code, "--as", "new").err
    asked = forewarn("models", "activate", code, "--as", "one")
    assert (asked.code, "another engineer approves" in asked.err) == (0, True)
    with open_connection(os.environ["FOREWARN_DATABASE_URL"], application="test") as conn:
        one = load_user(conn, "one")
    assert one is not None
    assert one.failed_count == 0  # the wrong one was counted, and the right one ended it
    assert "second_person" in forewarn("models", "activate", code, "--as", "one").err
    assert forewarn("models", "activate", code, "--as", "two").err.strip() == f"{code}: LIVE"

    assert "nothing_before" in forewarn("models", "rollback", code, "--as", "two", "--reason", "worse").err
    assert "reason_missing" in forewarn("models", "retire", code, "--as", "two").err
    assert forewarn("models", "retire", code, "--as", "two", "--reason", "no use").code == 0
    shown = json.loads(forewarn("models", "show", code, "--json").out)
    assert (shown["state"], shown["asked_by"], shown["approved_by"]) == ("RETIRED", "one", "two")
    assert shown["backtest"]["level"] == "raw"
    assert "provenance.data_sha256" in forewarn("models", "show", code).out
    assert json.loads(forewarn("audit", "verify", "--json").out)["problems"] == []


def test_what_is_called_off_at_the_command_line_is_begun_again_by_nobody(
    forewarn: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("forewarn.commands.model_jobs.run_job", press_ctrl_c)
    assert forewarn("models", "train", "--model", MODEL).code == 130
    with open_connection(os.environ["FOREWARN_DATABASE_URL"], application="test") as conn:
        (job,) = MODEL_JOBS.load_page(conn)
        assert (job.state, job.error) == ("FAILED", "It was called off at the command line.")
        assert not MODEL_JOBS.is_waiting(conn)


def test_wrong_passwords_lock_the_account_as_at_the_console(forewarn: Run) -> None:
    for attempt in range(1, 6):
        wrong = forewarn("models", "retire", "MOD-2026-0001", "--as", "one", "--reason", "x", password="guess")
        assert (wrong.code, wrong.err.strip()) == (1, "The name or the password is wrong.")
        with open_connection(os.environ["FOREWARN_DATABASE_URL"], application="test") as conn:
            account = load_user(conn, "one")
        assert account is not None
        assert account.failed_count == attempt
    assert account is not None
    assert account.locked_until is not None
    # The right one is not even looked at, here and at the console.
    locked = forewarn("models", "retire", "MOD-2026-0001", "--as", "one", "--reason", "x")
    assert (locked.code, "one is locked after too many wrong passwords" in locked.err) == (1, True)
    unknown = forewarn("models", "retire", "MOD-2026-0001", "--as", "nobody", "--reason", "x")
    assert (unknown.code, unknown.err.strip()) == (1, "The name or the password is wrong.")
    with open_connection(os.environ["FOREWARN_DATABASE_URL"], application="test") as conn:
        (said,) = load_audit_events(conn, AuditFilter(entity="user", entity_id="one"))
    assert (said.action, said.actor) == ("user.locked", "one")


def test_a_profile_with_other_thresholds_is_compared_with_the_current_one(forewarn: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("model: X-1\n")
    assert forewarn("models", "backtest", "--profile", str(wrong)).code == 1
    assert forewarn("models", "backtest").code == 2
    unknown = forewarn("models", "train", "--model", "NONE-1")
    assert (unknown.code, "NONE-1" in unknown.err) == (1, True)
    assert forewarn("models", "show", "MOD-1").code == 1
