"""Which broker keeps the accounts, from one address."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from accounts.account_file import AccountFile
from accounts.broker import AccountBroker
from accounts.dynamic_security import TIMEOUT_S, DynamicSecurity
from domain.broker_address import parse_broker_address


def find_account_broker(url: str, timeout_s: float = TIMEOUT_S) -> AccountBroker:
    """Mosquitto at an address like mqtt://forewarn-admin:password@host:1884, or the embedded broker's file (file:///...).

    Raises
    ------
    ConfigurationError
        The address is neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return AccountFile(Path(unquote(parts.path)))
    return DynamicSecurity(parse_broker_address(url), timeout_s)
