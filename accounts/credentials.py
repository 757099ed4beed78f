"""Accounts come, change and go: at the broker, on record and in the audit, in one transaction of the caller's.

The broker is changed last but for the audit. If the transaction then fails, the broker has a password that nobody was
told: the device cannot sign in until its account is made anew, and nobody else can.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.broker import AccountBroker
from accounts.claim_codes import hash_claim_code, make_claim_code, matches_claim_code
from domain.audit import Actor
from domain.audit_broker_account import claim_code_issued, credentials_issued, credentials_revoked
from domain.broker_account import AccountKind, BrokerAccount, SignInMethod, find_name_problem
from domain.errors import ForewarnError, GuardRefusedError
from store.audit import record_audit
from store.device_accounts import (
    DeviceAccount,
    is_owner_gone,
    load_account,
    lock_owner,
    record_account,
    revoke_account,
)
from store.device_claims import load_open_claim, record_claim, use_claim, withdraw_claims
from store.pool import Connection

CLAIM_PERMISSION = "device.claim"
DECOMMISSIONED = "decommissioned"  # the guard of what is out of service for good


class AccountNameError(ForewarnError):
    """No account can be made under this name."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a device signs in with. The password is nowhere else: who has this has the only copy."""

    username: str
    password: str | None  # None: by certificate, whose common name is `username`
    rotated: bool  # there was an account before, whose password holds no longer

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


def make_account_password() -> str:
    """192 random bits that need no quoting in a URL or an environment file."""
    return secrets.token_urlsafe(24)


def issue_credentials(
    conn: Connection,
    broker: AccountBroker,
    actor: Actor,
    account: BrokerAccount,
    method: SignInMethod = SignInMethod.PASSWORD,
) -> Credentials:
    """The device or gateway has an account with a new password, or with none where it shows a certificate.

    Raises
    ------
    NotFoundError
        Nobody has registered it.
    AccountNameError
        Its name cannot stand in a topic.
    GuardRefusedError
        `decommissioned`: the device is out of service for good.
    BrokerUnreachableError, BrokerRefusedError
        Nothing is changed on record.
    """
    _verify_name(account)
    owner_id = lock_owner(conn, account)
    _verify_in_use(conn, account)
    before = load_account(conn, account.username)
    record_account(conn, account, owner_id, method, by=actor.name)
    password = make_account_password() if method is SignInMethod.PASSWORD else None
    broker.set_account(account, password)
    rotated = before is not None and before.state == "ACTIVE"
    after = _describe(load_account(conn, account.username))
    record_audit(conn, actor, credentials_issued(account, _describe(before), after, rotated=rotated))
    return Credentials(account.username, password, rotated)


def revoke_credentials(conn: Connection, broker: AccountBroker, actor: Actor, account: BrokerAccount) -> bool:
    """Nobody signs in with the account any more, nor by an open claim code; False: there was none on record.

    What the broker may have under that name is removed in either case.

    Raises
    ------
    NotFoundError, AccountNameError
        See `issue_credentials`: what is called like an account of Forewarn's own would take that one away.
    BrokerUnreachableError, BrokerRefusedError
        Nothing is changed on record.
    """
    _verify_name(account)
    owner_id = lock_owner(conn, account)
    before = load_account(conn, account.username)
    revoked = revoke_account(conn, account.username, by=actor.name)
    withdrawn = account.kind is AccountKind.DEVICE and withdraw_claims(conn, owner_id)
    broker.remove_account(account)
    if revoked or withdrawn:
        after = _describe(load_account(conn, account.username)) or {}
        entry = credentials_revoked(account, _describe(before), after | {"claim_withdrawn": withdrawn})
        record_audit(conn, actor, entry)
    return revoked


def issue_claim_code(conn: Connection, actor: Actor, serial: str, *, expires_at: datetime) -> str:
    """A code by which that device may fetch its account once until then; an earlier code opens nothing any more.

    Raises
    ------
    NotFoundError, AccountNameError, GuardRefusedError
        See `issue_credentials`.
    """
    account = BrokerAccount(AccountKind.DEVICE, serial)
    _verify_name(account)
    device_id = lock_owner(conn, account)
    _verify_in_use(conn, account)
    code = make_claim_code()
    record_claim(conn, device_id, hash_claim_code(code), by=actor.name, expires_at=expires_at)
    record_audit(conn, actor, claim_code_issued(account, expires_at))
    return code


def claim_credentials(
    conn: Connection, broker: AccountBroker, serial: str, code: str, *, at: datetime, request_id: str
) -> Credentials | None:
    """A new account for the device that knows its code, which is used up with it; None for a wrong, used, withdrawn or
    expired code and for a serial without one: nothing tells which.

    Raises
    ------
    BrokerUnreachableError, BrokerRefusedError
        The code is not used up when the caller rolls back.
    """
    claim = load_open_claim(conn, serial, at=at)
    if not matches_claim_code(None if claim is None else claim.code_hash, code) or claim is None:
        return None
    if not use_claim(conn, claim.id):
        return None
    actor = Actor(f"device:{serial}", "", CLAIM_PERMISSION, request_id=request_id)
    return issue_credentials(conn, broker, actor, BrokerAccount(AccountKind.DEVICE, serial))


def _verify_name(account: BrokerAccount) -> None:
    problem = find_name_problem(account)
    if problem is not None:
        raise AccountNameError(f"{account.name!r} {problem}.")


def _verify_in_use(conn: Connection, account: BrokerAccount) -> None:
    if is_owner_gone(conn, account):
        raise GuardRefusedError(DECOMMISSIONED, f"{account.name} is decommissioned: it gets no account any more")


def _describe(account: DeviceAccount | None) -> dict[str, Any] | None:
    if account is None:
        return None
    return {"state": account.state, "method": account.method, "thingsboard": account.thingsboard}
