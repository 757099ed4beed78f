"""The audit's sentences about second factors, sessions and identities at a provider; no code or secret is in any."""

from domain.audit import AuditEntry
from domain.audit_user import ENTITY


def second_factor_set_up(name: str) -> AuditEntry:
    """The account's owner confirmed a second factor."""
    return AuditEntry("user.second_factor_set_up", ENTITY, name, None, {"second_factor": True})


def second_factor_removed(name: str, reason: str = "") -> AuditEntry:
    """The account has no second factor any more; the actor says whether its owner or an administrator removed it."""
    return AuditEntry("user.second_factor_removed", ENTITY, name, {"second_factor": True}, None, reason)


def second_factor_locked(name: str, *, failed: int, seconds: float) -> AuditEntry:
    """Too many wrong codes after the right password: none is looked at for a while."""
    return AuditEntry("user.second_factor_locked", ENTITY, name, None, {"failed": failed, "seconds": seconds})


def recovery_code_used(name: str, *, left: int) -> AuditEntry:
    """The account's owner came in by a recovery code."""
    return AuditEntry("user.recovery_code_used", ENTITY, name, None, {"recovery_codes_left": left})


def recovery_codes_made(name: str) -> AuditEntry:
    """New recovery codes were printed; earlier ones are good for nothing."""
    return AuditEntry("user.recovery_codes_made", ENTITY, name, None, None)


def sessions_ended(name: str, *, ended: int, reason: str = "") -> AuditEntry:
    """Sessions were ended before their time; the actor says by whom."""
    return AuditEntry("user.sessions_ended", ENTITY, name, None, {"ended": ended}, reason)


def identity_tied(name: str, *, issuer: str, subject: str) -> AuditEntry:
    """The account is that identity of the provider from now on."""
    return AuditEntry("user.identity_tied", ENTITY, name, None, {"issuer": issuer, "subject": subject})


def identity_untied(name: str, *, issuer: str, subject: str, reason: str) -> AuditEntry:
    """The account has nothing to do with that identity any more."""
    return AuditEntry("user.identity_untied", ENTITY, name, {"issuer": issuer, "subject": subject}, None, reason)
