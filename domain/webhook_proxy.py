"""The proxy through which webhooks leave a network that lets nothing out directly. Named by the setting alone."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from domain.errors import ConfigurationError

VARIABLE = "FOREWARN_WEBHOOK_PROXY"
DEFAULT_PORT = 3128


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens; `authorization` is what it is told of who asks, empty: nothing."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def read_proxy(text: str) -> Proxy | None:
    """The proxy of a setting like "http://name:password@proxy.hospital.example:3128"; None where it is empty.

    Raises
    ------
    ConfigurationError
        It is no such address; the message tells no password.
    """
    if not text.strip():
        return None
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"{VARIABLE}: it must be like http://proxy.example:3128.") from None
    is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme != "http" or not host or port == 0 or not is_bare or not text.isascii():
        raise ConfigurationError(f"{VARIABLE}: it must be like http://proxy.example:3128.")
    if parts.username is None:
        return Proxy(host, port or DEFAULT_PORT)
    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return Proxy(host, port or DEFAULT_PORT, f"Basic {b64encode(said).decode()}")
