"""Where a broker is, as whom to sign in and whom to trust, read from one address such as `mqtt://user:password@host`.

Certificates stand in the address as they do in one of a database: `mqtts://host:8883?ca_file=ca.crt`, and for mutual
TLS `&cert_file=device.crt&key_file=device.key`.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from domain.errors import ConfigurationError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
FILES = ("ca_file", "cert_file", "key_file")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker, the account to use there, and the files of TLS. No `ca_file`: the system's certificate authorities."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def parse_broker_address(url: str) -> BrokerAddress:
    """The address that the URL names; `mqtts` means TLS.

    Raises
    ------
    ConfigurationError
        The text is no such URL, or its certificates do not go together.
    """
    try:
        parts = urlsplit(url if "://" in url else f"mqtt://{url}")
        port = parts.port
        given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ConfigurationError(f"The broker's address cannot be used: {error}.") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError("A broker's address is mqtt://host:port or mqtts://host:port.")
    unknown = sorted(given.keys() - set(FILES))
    if unknown:
        raise ConfigurationError(f"A broker's address knows {', '.join(FILES)}, not {', '.join(unknown)}.")
    if given and parts.scheme != "mqtts":
        raise ConfigurationError("Certificates need mqtts://.")
    if ("cert_file" in given) != ("key_file" in given):
        raise ConfigurationError("cert_file and key_file go together.")
    return BrokerAddress(
        host=parts.hostname,
        port=port or DEFAULT_PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ca_file=given.get("ca_file"),
        cert_file=given.get("cert_file"),
        key_file=given.get("key_file"),
    )
