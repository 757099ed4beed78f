"""What keeps the accounts at the broker, as those who change accounts see it."""

from typing import Protocol

from domain.broker_account import BrokerAccount
from domain.errors import ForewarnError


class BrokerUnreachableError(ForewarnError):
    """The broker's accounts could not be changed, because it does not answer."""


class BrokerRefusedError(ForewarnError):
    """The broker refused to change its accounts."""


class AccountBroker(Protocol):
    """A broker whose accounts can be changed.

    All methods raise `BrokerUnreachableError` or `BrokerRefusedError`; each may be repeated.
    """

    def load_usernames(self) -> list[str]:
        """Every account that the broker knows, its administrator's among them where it has one."""

    def set_account(self, account: BrokerAccount, password: str | None) -> None:
        """The account has this password alone, or none (mutual TLS), and its rights; whoever uses it is thrown out."""

    def remove_account(self, account: BrokerAccount) -> None:
        """Nobody signs in by that name any more, and whoever has is thrown out; one that is not there is no error."""
