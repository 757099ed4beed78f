"""Where the broker and its accounts are, from the settings."""

from pathlib import Path

import pytest

from domain.broker_address import parse_broker_address
from forewarn.connections import find_admin_url, find_mqtt_url, find_service_url
from forewarn.settings import Settings


@pytest.fixture(autouse=True)
def _no_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_certificates_go_with_the_brokers_address(tmp_path: Path) -> None:
    settings = Settings(
        mqtt_url="mqtts://u:p%40@broker.example.org",
        mqtt_admin_url="mqtts://admin:p@broker.example.org:8884",
        mqtt_ca_file=Path("a b/ca.crt"),
        mqtt_cert_file=Path("own.crt"),
        mqtt_key_file=Path("own.key"),
    )
    for url in (find_mqtt_url(settings), find_admin_url(settings)):
        assert url is not None
        address = parse_broker_address(url)
        assert address.ca_file == str(tmp_path / "a b" / "ca.crt")
        assert (address.cert_file, address.key_file) == (str(tmp_path / "own.crt"), str(tmp_path / "own.key"))
    assert parse_broker_address(find_mqtt_url(settings)).password == "p@"


def test_service_link_has_an_account_of_its_own_where_one_is_set() -> None:
    assert find_service_url(Settings(mqtt_url="mqtt://a:p@h")) == "mqtt://a:p@h"
    assert find_service_url(Settings(mqtt_url="mqtt://a:p@h", mqtt_service_url="mqtt://s:p@h")) == "mqtt://s:p@h"


def test_an_address_that_names_its_certificates_keeps_them(tmp_path: Path) -> None:
    url = "mqtts://h?ca_file=/mine.crt"
    assert find_mqtt_url(Settings(mqtt_url=url, mqtt_ca_file=tmp_path / "ca.crt")) == url
    assert find_mqtt_url(Settings(mqtt_url="mqtt://h", mqtt_ca_file=tmp_path / "ca.crt")) == "mqtt://h"


def test_the_embedded_broker_keeps_its_accounts_in_a_file_and_another_one_where_it_is_said(tmp_path: Path) -> None:
    embedded = find_admin_url(Settings(var=tmp_path / "va r"))
    assert embedded is not None
    assert embedded.startswith("file:///")
    assert embedded.endswith("va%20r/secrets/broker-accounts.json")
    assert find_admin_url(Settings(mqtt_url="mqtt://h")) is None
