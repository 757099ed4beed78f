"""The audit's sentences about accounts of devices and gateways at the broker. No password or code is in any of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.audit import AuditEntry
from domain.broker_account import BrokerAccount


def credentials_issued(
    account: BrokerAccount, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, rotated: bool
) -> AuditEntry:
    """An account was made, or has a new password."""
    action = "device_account.rotated" if rotated else "device_account.created"
    return AuditEntry(action, account.kind.value, account.name, before, after)


def credentials_revoked(
    account: BrokerAccount, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> AuditEntry:
    """Nobody signs in with the account any more."""
    return AuditEntry("device_account.revoked", account.kind.value, account.name, before, after)


def claim_code_issued(account: BrokerAccount, expires_at: datetime) -> AuditEntry:
    """A device may fetch its account once, by a code, until then."""
    return AuditEntry("device_claim.created", account.kind.value, account.name, None, {"expires_at": expires_at})
