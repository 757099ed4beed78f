"""Accounts at the embedded broker: a file of hashes and rights that the gate before it reads again when it changes."""

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts.broker import BrokerRefusedError
from domain.broker_account import BrokerAccount, find_rights
from domain.topic_filters import covers_filter, matches_topic


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """One account as the gate knows it. The hash is SHA-256, enough for passwords of 192 random bits."""

    password_hash: bytes
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def has_password(self, password: str) -> bool:
        """Whether it is the password; it takes as long when it is not."""
        return hmac.compare_digest(self.password_hash, hash_password(password))

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish on that topic."""
        return any(matches_topic(allowed, topic) for allowed in self.publish)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether all that the filter matches may be heard."""
        return any(covers_filter(allowed, topic_filter) for allowed in self.subscribe)


class AccountFile:
    """The accounts in one file, readable by its owner alone; two who change it at once do so one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set_account(self, account: BrokerAccount, password: str | None) -> None:
        """See `AccountBroker`. Counts within a second; certificates are not known here."""
        if password is None:
            raise BrokerRefusedError("(the embedded broker knows passwords alone; certificates need Mosquitto)")
        rights = find_rights(account)
        with self._changing() as accounts:
            accounts[account.username] = {
                "password_sha256": hash_password(password).hex(),
                "publish": rights.publish,
                "subscribe": rights.subscribe,
            }

    def remove_account(self, account: BrokerAccount) -> None:
        """See `AccountBroker`."""
        with self._changing() as accounts:
            accounts.pop(account.username, None)

    def load_usernames(self) -> list[str]:
        """See `AccountBroker`."""
        return sorted(load_known_accounts(self._path))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            accounts = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
            yield accounts
            partial = self._path.with_name(f".{self._path.name}.partial")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(accounts, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        finally:
            os.close(lock)


def load_known_accounts(path: Path) -> Mapping[str, KnownAccount]:
    """Every account of the file by its user name; none where there is no file."""
    if not path.exists():
        return {}
    return {
        username: KnownAccount(
            bytes.fromhex(entry["password_sha256"]), tuple(entry["publish"]), tuple(entry["subscribe"])
        )
        for username, entry in json.loads(path.read_text(encoding="utf-8")).items()
    }


def hash_password(password: str) -> bytes:
    """SHA-256."""
    return hashlib.sha256(password.encode()).digest()
