"""The audit's sentences about people's accounts."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit import AuditEntry

ENTITY = "user"


def user_created(name: str, *, full_name: str, roles: Sequence[str], customer: str | None) -> AuditEntry:
    """An account was made."""
    after = {"roles": list(roles), "full_name": full_name, "customer": customer}
    return AuditEntry("user.created", ENTITY, name, None, after)


def user_changed(name: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> AuditEntry:
    """Name, roles, customer or status of an account were changed."""
    return AuditEntry("user.changed", ENTITY, name, before, after, reason)


def password_reset(name: str, reason: str = "") -> AuditEntry:
    """Somebody else gave the account a new password; the password itself is nowhere."""
    return AuditEntry("user.password_reset", ENTITY, name, None, None, reason)


def password_changed(name: str) -> AuditEntry:
    """The account's owner chose a new password."""
    return AuditEntry("user.password_changed", ENTITY, name, None, None)


def signed_in(name: str, method: str = "PASSWORD") -> AuditEntry:
    """The account's owner opened a session; by which method, where it was more than a password."""
    return AuditEntry("user.signed_in", ENTITY, name, None, None if method == "PASSWORD" else {"method": method})


def user_locked(name: str, *, failed: int, seconds: float) -> AuditEntry:
    """Too many wrong passwords: nothing is looked at for a while."""
    return AuditEntry("user.locked", ENTITY, name, None, {"failed": failed, "seconds": seconds})
