"""What the doctor says of a real broker: its certificate, strangers, and who manages its accounts."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.broker_address import BrokerAddress
from forewarn.broker_checks import check_administration, check_security, check_server, check_strangers
from forewarn.certificates import issue_device_certificate, make_authority
from forewarn.finding import State
from forewarn.settings import Settings
from tests.support.brokers import Broker
from tests.support.secured_mosquitto import SecuredMosquitto
from tests.support.services import find_free_port

NOW = datetime.now(UTC)


def test_the_brokers_certificate_is_looked_at(secured: SecuredMosquitto, tmp_path: Path) -> None:
    def check(
        host: str = "127.0.0.1", port: int = secured.tls_port, ca_file: str = secured.ca_file
    ) -> tuple[State, str]:
        finding = check_server(host, port, "Broker certificate", NOW, ca_file=ca_file)
        return finding.state, finding.detail

    state, detail = check()
    assert state is State.GOOD
    assert "days" in detail
    foreign = str(make_authority(tmp_path).certificate)
    for found in (
        check(port=secured.expired_port),
        check(host="localhost"),
        check(ca_file=foreign),
        check(port=secured.devices_port),
        check(port=find_free_port()),
    ):
        assert found[0] is State.BAD
    assert "expired" in check(port=secured.expired_port)[1]


def test_a_broker_that_lets_strangers_in_is_found(secured: SecuredMosquitto, broker: Broker) -> None:
    by_password = BrokerAddress("127.0.0.1", secured.tls_port, True, ca_file=secured.ca_file)
    assert check_strangers(by_password).state is State.GOOD
    assert check_strangers(BrokerAddress("127.0.0.1", secured.devices_port)).detail == "refused"
    assert check_strangers(BrokerAddress("127.0.0.1", broker.port)).state is State.NOTE


def test_all_is_well_where_everything_is_set(
    secured: SecuredMosquitto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    own = issue_device_certificate(secured.pki, "forewarn-ingest", days=20)
    settings = Settings(
        mqtt_url=f"mqtts://127.0.0.1:{secured.mutual_port}",
        mqtt_ca_file=Path(secured.ca_file),
        mqtt_cert_file=own.certificate,
        mqtt_key_file=own.key,
        mqtt_admin_url=secured.admin_url,
    )
    findings = {finding.subject: finding for finding in check_security(settings, NOW)}
    assert findings["Own certificate"].state is State.NOTE  # near its end
    assert findings["Broker encryption"].state is State.GOOD
    assert findings["Broker certificate"].state is State.GOOD
    assert findings["Broker accounts"].state is State.GOOD
    wrong = replace(secured.admin, password="wrong")
    refused = Settings(mqtt_admin_url=f"mqtt://{wrong.username}:{wrong.password}@{wrong.host}:{wrong.port}")
    assert check_administration(refused).state is State.BAD
    assert check_administration(Settings(mqtt_url="mqtt://127.0.0.1:1")).state is State.NOTE
    (closed,) = check_security(Settings(), NOW)
    assert closed.state is State.NOTE
    assert "this machine alone" in closed.detail
    (in_clear,) = check_security(Settings(broker_gate="0.0.0.0:8883"), NOW)
    assert "in clear" in in_clear.detail
    own_files = Settings(
        broker_gate="0.0.0.0:8883", broker_cert_file=secured.server.certificate, broker_key_file=secured.server.key
    )
    assert [finding.state for finding in check_security(own_files, NOW)] == [State.GOOD, State.GOOD]
