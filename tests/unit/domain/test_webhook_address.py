"""Where webhooks may be sent: the public internet by TLS, and nothing inner that is not allowed by name."""

from ipaddress import ip_address

import pytest

from domain.errors import ConfigurationError
from domain.webhook_address import (
    URL_PROBLEMS,
    UrlProblem,
    find_url_problem,
    hide_query,
    is_allowed,
    is_plain_allowed,
    read_networks,
)

INNER = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # metadata of clouds
    "100.64.0.1",  # carriers' own
    "198.18.0.1",
    "192.0.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of a cloud
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",  # 127.0.0.1 behind a translator
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a00:1::",
    "64:ff9b:1:7f00:0:100:101:101",  # a translator of one's own: where the address stands in it is nobody's to know
    "::127.0.0.1",
    "::8.8.8.8",
    "fec0::1",  # of a site, of old
    "3fff::1",  # of examples
    "4000::1",  # nobody's yet
)


@pytest.mark.parametrize("text", INNER)
def test_inner_addresses_are_refused_however_they_are_written(text: str) -> None:
    assert not is_allowed(ip_address(text), ())
    assert not is_plain_allowed(ip_address(text), ())


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_the_public_internet_is_allowed_by_tls_alone(text: str) -> None:
    assert is_allowed(ip_address(text), ())
    assert not is_plain_allowed(ip_address(text), read_networks("0.0.0.0/0,::/0"))


def test_a_network_is_allowed_by_name_and_its_neighbour_is_not() -> None:
    allowed = read_networks(" 10.1.0.0/16, fd12::/16 ")
    assert is_allowed(ip_address("10.1.255.255"), allowed)
    assert is_allowed(ip_address("::ffff:10.1.0.1"), allowed)
    assert is_allowed(ip_address("fd12::5"), allowed)
    assert not is_allowed(ip_address("10.2.0.1"), allowed)
    assert not is_allowed(ip_address("127.0.0.1"), allowed)
    assert not is_plain_allowed(ip_address("10.1.0.1"), allowed)  # inner is not here
    here = read_networks("127.0.0.0/8")
    assert is_plain_allowed(ip_address("127.0.0.1"), here)
    assert not is_plain_allowed(ip_address("::1"), here)


@pytest.mark.parametrize("text", ["10.1.0.1/16", "nonsense", "10.0.0.0/33"])
def test_what_is_no_network_is_said_at_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FOREWARN_WEBHOOK_NETWORKS"):
        read_networks(text)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://erp.example/hooks?key=1", None),
        ("https://erp.example:8443/", None),
        ("https://1.1.1.1/", None),
        ("https://[2606:4700:4700::1111]/", None),
        ("http://erp.example/", "https://"),
        ("http://127.0.0.1:9000/", "network that is not allowed"),
        ("http://localhost:9000/", "https://"),
        ("https://127.0.0.1/", "network that is not allowed"),
        ("https://2130706433/", "network that is not allowed"),  # 127.0.0.1 as one number
        ("https://0x7f.1/", "network that is not allowed"),
        ("https://0177.0.0.1/", "network that is not allowed"),
        ("https://10.1/", "network that is not allowed"),
        ("https://[::1]/", "network that is not allowed"),
        ("https://[fe80::1%25eth0]/", "network that is not allowed"),
        ("https://user:secret@erp.example/", "no user"),
        ("https://erp.example/#part", "no fragment"),
        ("https://erp.example/a b", "without blanks"),
        ("https://erp.example/\n", "without blanks"),
        ("https://müller.example/", "ASCII"),
        ("ftp://erp.example/", "https://"),
        ("https://", "name a host"),
        ("https:erp.example", "name a host"),
        ("https://erp.example:99999/", "name a host"),
        ("https://erp.example:0/", "name a host"),
        ("https://[::1/", "name a host"),
        ("https://erp.example/" + "a" * 2000, "at most 2000"),
        ("", "https://"),
    ],
)
def test_addresses_of_endpoints(url: str, said: str | None) -> None:
    problem = find_url_problem(url, ())
    assert problem is None if said is None else said in URL_PROBLEMS[problem or UrlProblem.TOO_LONG]


def test_this_machine_without_tls_where_it_is_allowed() -> None:
    here = read_networks("127.0.0.0/8")
    assert find_url_problem("http://127.0.0.1:9000/", here) is None
    assert find_url_problem("http://localhost:9000/", here) is None
    assert find_url_problem("http://10.0.0.1/", read_networks("10.0.0.0/8")) is not None


def test_the_query_of_an_address_is_not_told() -> None:
    assert hide_query("https://erp.example/a?token=secret") == "https://erp.example/a?…"
    assert hide_query("https://erp.example/a") == "https://erp.example/a"
