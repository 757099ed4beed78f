"""What `forewarn up` gives to copy works at the broker that is in use, and shows no secret."""

from pathlib import Path

import pytest

from forewarn.commands.installation import find_first_reading_commands
from forewarn.settings import Settings, load_settings


def settings_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str | None) -> Settings:
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path))
    if url is not None:
        monkeypatch.setenv("FOREWARN_MQTT_URL", url)
    return load_settings()


def test_a_broker_with_accounts_wants_one_for_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = settings_for(monkeypatch, tmp_path, "mqtt://forewarn-ingest:hush-hush@broker.example.org:1884")
    register, account, publish = find_first_reading_commands(settings)
    assert "devices import" in register
    assert account.endswith("devices credentials MY-0001")
    assert "-h broker.example.org" in publish
    assert "-u MY-0001" in publish
    assert "forewarn-ingest" not in publish
    assert "hush-hush" not in f"{register}{account}{publish}"


def test_a_broker_without_accounts_wants_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = settings_for(monkeypatch, tmp_path, "mqtt://127.0.0.1:18840")
    _, publish = find_first_reading_commands(settings)
    assert publish.startswith("mosquitto_pub -L mqtt://127.0.0.1:18840/forewarn/v1/MY-0001/telemetry ")


def test_the_embedded_broker_is_reached_by_what_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, publish = find_first_reading_commands(settings_for(monkeypatch, tmp_path, None))
    assert "paho.mqtt.client" in publish
    assert "1883" in publish
