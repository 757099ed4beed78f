"""Each program's settings from the house, the environment and the file, every field checked and named."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from forewarn.doctor import check_settings
from forewarn.finding import State
from forewarn.program_settings import (
    PROGRAMS,
    fill,
    find_settings,
    load_program_settings,
    verify_program_settings,
)
from forewarn.settings import load_settings


@dataclass(frozen=True, slots=True)
class Inner:
    url: str = "mqtt://nowhere"
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outer:
    database_url: str
    mqtt: Inner = field(default_factory=Inner)
    batch: int = 10
    linger_s: float = 0.5


WIRED = {"database_url": "postgresql://db", "mqtt": {"url": "mqtt://b"}}


def test_house_beats_environment_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_INGEST_BATCH", "30")
    monkeypatch.setenv("FOREWARN_INGEST_DATABASE_URL", "postgresql://other")
    monkeypatch.setenv("FOREWARN_INGEST_MQTT_PASSWORD", "secret")
    filled = fill(Outer, "ingest", {"batch": 20, "linger_s": 1}, WIRED)
    assert filled == Outer("postgresql://db", Inner("mqtt://b", "secret"), 30, 1.0)


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_INGEST_BATCH", "many")
    with pytest.raises(ConfigurationError, match="FOREWARN_INGEST_BATCH: "):
        fill(Outer, "ingest", {}, WIRED)


def test_an_unknown_key_of_the_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'mqtt\.pasword' below \[ingest\]"):
        fill(Outer, "ingest", {"mqtt": {"pasword": "x"}}, WIRED)


def test_what_the_house_wires_is_no_setting_and_what_is_secret_is_known() -> None:
    found = {setting.variable: setting for setting in find_settings(Outer, "ingest")}
    assert set(found) == {"FOREWARN_INGEST_MQTT_PASSWORD", "FOREWARN_INGEST_BATCH", "FOREWARN_INGEST_LINGER_S"}
    assert found["FOREWARN_INGEST_MQTT_PASSWORD"].is_secret
    assert found["FOREWARN_INGEST_BATCH"].default == 10


def test_the_proxy_of_webhooks_is_told_to_service_link_and_its_password_to_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "http://forewarn:geheim@proxy.example:3128"
    monkeypatch.setenv("FOREWARN_WEBHOOK_PROXY", said)
    monkeypatch.setenv("FOREWARN_DATABASE_URL", "postgresql://db/forewarn")
    monkeypatch.setenv("FOREWARN_MQTT_URL", "mqtt://broker")
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path))
    settings = load_settings()
    found = load_program_settings(PROGRAMS["service-link"], settings)
    assert found.webhook_proxy == said
    assert "geheim" not in f"{found!r} {settings!r}"


def test_settings_that_do_not_go_together_are_said_before_the_program_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", "postgresql://db/forewarn")
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path))
    settings = load_settings()
    verify_program_settings(PROGRAMS["api"], settings)
    monkeypatch.setenv("FOREWARN_API_CHANGE_LOG_HOURS", "0.1")
    with pytest.raises(ConfigurationError, match=r"FOREWARN_API_CHANGE_LOG_HOURS=0\.1 is too short"):
        verify_program_settings(PROGRAMS["api"], settings)
    assert [finding.state for finding in check_settings(settings)] == [State.BAD]
