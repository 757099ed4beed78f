"""Where a broker is and as whom to sign in, read from one address such as `mqtt://user:password@host:1883`."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from domain.errors import ConfigurationError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker and the account to use there."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_broker_address(url: str) -> BrokerAddress:
    """The address that the URL names; `mqtts` means TLS with the system's certificate authorities.

    Raises
    ------
    ConfigurationError
        The text is no such URL.
    """
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"The broker's address has no valid port: {error}.") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError("A broker's address is mqtt://host:port or mqtts://host:port.")
    return BrokerAddress(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
