"""The audit's sentences about outgoing webhooks. No secret stands in any of them, nor the query of an address."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.audit import AuditEntry
from domain.webhook import EndpointState, ReplayScope

ENTITY = "webhook"
STATE_ACTIONS = {
    EndpointState.ENABLED: "webhook.enabled",
    EndpointState.DISABLED: "webhook.disabled",
    EndpointState.RETIRED: "webhook.retired",
}


def webhook_created(code: str, after: Mapping[str, Any]) -> AuditEntry:
    """From now on an address is told of events."""
    return AuditEntry("webhook.created", ENTITY, code, None, after)


def webhook_changed(code: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> AuditEntry:
    """What is told, or where, was changed."""
    return AuditEntry("webhook.changed", ENTITY, code, before, after, reason)


def webhook_moved(code: str, before: EndpointState, to: EndpointState, reason: str) -> AuditEntry:
    """It was enabled, disabled or retired."""
    return AuditEntry(STATE_ACTIONS[to], ENTITY, code, {"state": before}, {"state": to}, reason)


def secret_rotated(code: str, *, previous_until: datetime) -> AuditEntry:
    """It has a new secret; the one before signs as well until then."""
    return AuditEntry("webhook.secret_rotated", ENTITY, code, None, {"previous_until": previous_until})


def webhook_tested(code: str, event_id: str) -> AuditEntry:
    """An event was made to try the endpoint."""
    return AuditEntry("webhook.tested", ENTITY, code, None, {"event": event_id})


def delivery_replayed(code: str, event_id: str) -> AuditEntry:
    """One event is delivered to it again."""
    return AuditEntry("webhook.delivery_replayed", ENTITY, code, None, {"event": event_id})


def deliveries_replayed(code: str, *, since: datetime, scope: ReplayScope, count: int) -> AuditEntry:
    """All events since an instant are delivered to it again, or those that it has not got."""
    return AuditEntry("webhook.replayed", ENTITY, code, None, {"since": since, "scope": scope, "count": count})
