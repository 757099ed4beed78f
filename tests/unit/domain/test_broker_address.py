"""Addresses of brokers, with the certificates that stand in them."""

import pytest

from domain.broker_address import BrokerAddress, parse_broker_address
from domain.errors import ConfigurationError


def test_certificates_stand_in_the_address() -> None:
    assert parse_broker_address("mqtts://SN-1@h?ca_file=/a/ca.crt&cert_file=d.crt&key_file=d.key") == BrokerAddress(
        "h", 8883, tls=True, username="SN-1", ca_file="/a/ca.crt", cert_file="d.crt", key_file="d.key"
    )
    assert parse_broker_address("mqtts://h?ca_file=%2Fa%20b%2Fca.crt").ca_file == "/a b/ca.crt"


@pytest.mark.parametrize(
    "url",
    [
        "mqtts://h?cafile=ca.crt",
        "mqtts://h?ca_file",
        "mqtts://h?cert_file=d.crt",
        "mqtts://h?key_file=d.key",
        "mqtt://h?ca_file=ca.crt",
        "mqtt://h:port",
        "mqtt://[::1",
        "http://h",
        "mqtt://",
    ],
)
def test_what_is_no_such_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_broker_address(url)
