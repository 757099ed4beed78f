"""Settings: sources, masking, and messages that name the variable."""

import os
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from forewarn.program_settings import find_unknown_variables
from forewarn.settings import (
    find_host,
    find_source,
    load_settings,
    mask_secrets,
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FOREWARN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()
    assert (settings.var, settings.http_host, settings.http_port, settings.mqtt_port) == (
        Path("var"), "127.0.0.1", 8000, 1883,
    )  # fmt: skip
    assert find_source(settings, "http_port") == "default"


def test_command_line_beats_environment_beats_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("forewarn.toml").write_text("http_port = 8001\nmqtt_port = 1884\nvar = 'from-file'\n")
    monkeypatch.setenv("FOREWARN_HTTP_PORT", "8002")
    monkeypatch.setenv("FOREWARN_MQTT_PORT", "1885")
    settings = load_settings(http_port=8003, mqtt_port=None)
    assert (settings.http_port, settings.mqtt_port, settings.var) == (8003, 1885, Path("from-file"))
    assert find_source(settings, "mqtt_port") == "environment FOREWARN_MQTT_PORT"
    assert find_source(settings, "var") == "file forewarn.toml"
    monkeypatch.delenv("FOREWARN_HTTP_PORT")
    assert find_source(load_settings(http_port=8003), "http_host") == "default"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", "")
    assert load_settings().database_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FOREWARN_HTTP_PORT", "99999"),
        ("FOREWARN_HTTP_PORT", "http"),
        ("FOREWARN_MQTT_URL", "localhost"),
        ("FOREWARN_DATABASE_URL", "mysql://x"),
        ("FOREWARN_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_reported_with_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


def test_an_unknown_key_in_the_file_is_refused() -> None:
    Path("forewarn.toml").write_text("htpp_port = 8001\n")
    with pytest.raises(ConfigurationError, match=r"'htpp_port' in forewarn\.toml"):
        load_settings()


def test_a_file_that_is_no_toml_or_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("forewarn.toml").write_text("http_port: 8001\n")
    with pytest.raises(ConfigurationError, match=r"forewarn\.toml cannot be read"):
        load_settings()
    monkeypatch.setenv("FOREWARN_CONFIG", "elsewhere.toml")
    with pytest.raises(ConfigurationError, match=r"elsewhere\.toml, which is no file"):
        load_settings()


def test_a_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_HTPP_PORT", "1")
    assert find_unknown_variables() == ["FOREWARN_HTPP_PORT"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://forewarn:geheim@db:5432/f", "postgresql://forewarn:***@db:5432/f"),
        ("postgresql://forewarn:ge%40he:im@/f?host=%2Frun%2Fpg", "postgresql://forewarn:***@/f?host=/run/pg"),
        ("postgresql://db/f?user=a&password=geheim&sslmode=require", "postgresql://db/f?user=a&password=***&sslmode=require"),
        ("mqtts://user:geheim@broker:8883", "mqtts://user:***@broker:8883"),
        ("mqtt://broker:1883", "mqtt://broker:1883"),
        ("mqtt://token@broker", "mqtt://token@broker"),
        ("postgresql://a:geheim@[broken", "***"),
        ("/var/lib", "/var/lib"),
    ],
)  # fmt: skip
def test_no_password_is_shown(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked
    assert "geheim" not in mask_secrets(text)


def test_children_get_every_setting_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_MQTT_PORT", "1999")
    monkeypatch.setenv("FOREWARN_INGEST_BATCH_MESSAGES", "7")
    environment = load_settings(var=Path("here")).environment()
    assert environment["FOREWARN_VAR"] == str(Path("here").resolve())
    assert environment["FOREWARN_MQTT_PORT"] == "1999"
    assert environment["FOREWARN_INGEST_BATCH_MESSAGES"] == "7"
    assert "FOREWARN_DATABASE_URL" not in environment


def test_hosts_of_urls() -> None:
    assert find_host("mqtt://u:p@broker:1999") == ("broker", 1999)
    assert find_host("postgresql://u:p@/f?host=%2Frun%2Fpg") == ("/run/pg", None)
