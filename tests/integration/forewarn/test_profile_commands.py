"""`forewarn profiles`: what is applied, what is kept, what asks for a reason."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from domain.audit import Actor, Signature
from domain.monitor_quality import Threshold
from domain.profile import Direction, MonitorRule
from domain.threshold_proposal import ProposalState
from forewarn.commands.profiles import load_bundled_profiles
from store.pool import open_connection
from store.profiles import load_profile
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import propose_threshold, record_backtest
from tests.support.command_line import Run
from tests.support.databases import Database
from tests.support.models import add_engineer
from tests.support.scoring import select


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
    assert "1 device of it is in service" in " ".join(refused.err.replace("│", " ").split())
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
