"""The audit's sentences about API tokens."""

from datetime import datetime

from domain.audit import AuditEntry

ENTITY = "token"


def token_created(name: str, *, role: str, customer: str | None, expires_at: datetime | None) -> AuditEntry:
    """A token was made; its secret is nowhere."""
    after = {"role": role, "customer": customer, "expires_at": expires_at}
    return AuditEntry("token.created", ENTITY, name, None, after)


def token_revoked(name: str) -> AuditEntry:
    """A token opens nothing any more."""
    return AuditEntry("token.revoked", ENTITY, name, None, None)
