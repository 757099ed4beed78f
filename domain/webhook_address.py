"""Where webhooks may be sent: by TLS to the public internet, and into networks that are allowed by name."""

from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from domain.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MAX_URL = 2000


class UrlProblem(StrEnum):
    """What is wrong with the address of an endpoint."""

    TOO_LONG = "too_long"
    CHARACTERS = "characters"
    NO_URL = "no_url"
    USER = "user"
    FRAGMENT = "fragment"
    NETWORK = "network"
    PLAIN = "plain"


URL_PROBLEMS = {
    UrlProblem.TOO_LONG: f"must have at most {MAX_URL} characters",
    UrlProblem.CHARACTERS: "must be an ASCII URL without blanks; write other characters in percent or punycode",
    UrlProblem.NO_URL: "must begin with https:// and name a host",
    UrlProblem.USER: "must hold no user and no password: messages are signed",
    UrlProblem.FRAGMENT: "must have no fragment",
    UrlProblem.NETWORK: "is in a network that is not allowed; see FOREWARN_WEBHOOK_NETWORKS",
    UrlProblem.PLAIN: "must begin with https://; http:// is taken to this machine alone, where that is allowed",
}
# Carries an IPv4 address: what it is decides. (Mapped ones, 6to4 and Teredo are known to Python by themselves.) In
# 64:ff9b:1::/48 each network says for itself where it stands: what lies there is allowed by name alone.
_TRANSLATED = ip_network("64:ff9b::/96")
# Nothing else of IPv6 is given out to anybody: what Python does not know to be inner lies outside, or is of examples.
_GIVEN_OUT, _EXAMPLES = ip_network("2000::/3"), ip_network("3fff::/20")


def read_networks(text: str) -> tuple[Network, ...]:
    """The networks of a setting, by commas.

    Raises
    ------
    ConfigurationError
        One of them is none.
    """
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as problem:
        raise ConfigurationError(f"FOREWARN_WEBHOOK_NETWORKS: {problem}") from None


def find_carried(address: Address) -> Address:
    """The IPv4 address within one of IPv6 that only carries it; else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_named(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether it lies in one of these networks."""
    carried = find_carried(address)
    return any(carried.version == network.version and carried in network for network in allowed)


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether something may be sent there: it is of the public internet, or in an allowed network.

    Loopback, private, link-local (cloud metadata among them), shared, multicast and reserved addresses are not public.
    """
    carried = find_carried(address)
    if is_named(address, allowed):
        return True
    if carried.version == 6 and (carried not in _GIVEN_OUT or carried in _EXAMPLES):
        return False
    return carried.is_global and not carried.is_multicast


def is_plain_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether something may be sent there without TLS: to this machine alone, where that is allowed."""
    return find_carried(address).is_loopback and is_allowed(address, allowed)


def find_url_problem(url: str, allowed: Sequence[Network]) -> UrlProblem | None:
    """What is wrong with the address of an endpoint, as far as it can be told without asking for its name; None: it
    can be used."""
    if len(url) > MAX_URL:
        return UrlProblem.TOO_LONG
    if not url.isascii() or any(not char.isprintable() or char in ' "<>\\^`{|}' for char in url):
        return UrlProblem.CHARACTERS
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return UrlProblem.NO_URL
    if parts.scheme not in ("https", "http") or not host or port == 0:
        return UrlProblem.NO_URL
    if parts.username is not None or parts.password is not None:
        return UrlProblem.USER
    if "#" in url:
        return UrlProblem.FRAGMENT
    return _find_host_problem(parts, host, allowed)


def _find_host_problem(parts: SplitResult, host: str, allowed: Sequence[Network]) -> UrlProblem | None:
    literal = find_literal(host)
    if literal is not None and not is_allowed(literal, allowed):
        return UrlProblem.NETWORK
    if parts.scheme == "http":
        is_here = host == "localhost" if literal is None else literal.is_loopback
        if not is_here or not any(network.is_loopback for network in allowed):
            return UrlProblem.PLAIN
    return None


def find_literal(host: str) -> Address | None:
    """The address that a host is written as, also in the short and old forms that resolvers take; None: a name."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    parts = host.rstrip(".").split(".")
    try:
        numbers = [
            int(part, 0 if part.lower().startswith("0x") else 8 if part.startswith("0") else 10) for part in parts
        ]
    except ValueError:
        return None
    if not 1 <= len(numbers) <= 4 or any(n < 0 for n in numbers) or any(n > 255 for n in numbers[:-1]):
        return None
    value = sum(n << 8 * (3 - place) for place, n in enumerate(numbers[:-1])) + numbers[-1]
    return IPv4Address(value) if numbers[-1] < 256 ** (5 - len(numbers)) else None


def hide_query(url: str) -> str:
    """The address without its query, which may be a secret of the receiver."""
    return url.partition("?")[0] + ("?…" if "?" in url else "")
