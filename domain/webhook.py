"""Outgoing webhooks: which events there are, the states of endpoints and deliveries, and when a step is refused."""

from collections.abc import Iterable
from enum import StrEnum

# Every type of event that is put into the outbox; a test holds it against what writes there.
EVENT_TYPES = (
    "breach.opened",
    "breach.escalated",
    "breach.cleared",
    "workorder.opened",
    "workorder.joined",
    "workorder.escalated",
    "workorder.assigned",
    "workorder.held",
    "workorder.done",
    "workorder.closed",
    "workorder.reopened",
    "sla.due_soon",
    "sla.breached",
    "capa.proposed",
    "capa.opened",
    "capa.closed",
    "fieldaction.item.changed",
    "part.requested",
    "calibration.due",
    "firmware.notice",
    "dataquality.alert",
    "model.drift",
    "vigilance.due_soon",
    "vigilance.overdue",
)
TEST_TYPE = "webhook.test"  # sent to one endpoint when somebody asks for it, whatever types it wants
MAX_DELAY_S = 3600


class EndpointState(StrEnum):
    """Whether an endpoint is told anything."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"  # what waits goes on waiting; what happens meanwhile can be asked for afterwards
    RETIRED = "RETIRED"  # for good


class StateCause(StrEnum):
    """Who brought an endpoint into its state."""

    PERSON = "PERSON"
    GONE = "GONE"  # the receiver answered 410


class DeliveryState(StrEnum):
    """What became of one event for one endpoint."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"  # given up after the last attempt of the schedule
    CANCELLED = "CANCELLED"  # its endpoint was retired


class DeliveryError(StrEnum):
    """Why an attempt failed."""

    STATUS = "status"  # answered with another status than 2xx
    REDIRECT = "redirect"  # answered with 3xx, which is not followed
    GONE = "gone"  # 410
    TIMEOUT = "timeout"
    NO_ADDRESS = "no_address"  # the name is not known
    ADDRESS_REFUSED = "address_refused"  # the name leads into a network that is not allowed
    CONNECTION = "connection"  # refused, cut, or no HTTP
    TLS = "tls"  # the certificate does not hold
    PROXY = "proxy"  # the proxy does not let it through
    SECRET = "secret"  # noqa: S105 - what is wrong: the key that opens the secret is not there


class WebhookGuard(StrEnum):
    """Why a step of an endpoint or a delivery is refused."""

    RETIRED = "webhook_retired"
    SAME_STATE = "webhook_same_state"
    NOT_ENABLED = "webhook_not_enabled"
    REASON_MISSING = "webhook_reason_missing"
    WAITING_ALREADY = "delivery_waits_already"
    OTHER_CUSTOMER = "delivery_of_another_customer"


class ReplayScope(StrEnum):
    """Which of an endpoint's events of a time are delivered again."""

    MISSING = "missing"  # those that are not delivered: given up, or never planned since it was disabled
    ALL = "all"  # delivered ones too


def find_unknown_types(types: Iterable[str]) -> list[str]:
    """Those that are no type of event."""
    return sorted(set(types) - set(EVENT_TYPES))


def find_state_refusal(state: EndpointState, to: EndpointState, reason: str) -> WebhookGuard | None:
    """Why an endpoint in that state cannot be brought into the other one by a person; None: it can."""
    if state is EndpointState.RETIRED:
        return WebhookGuard.RETIRED
    if state is to:
        return WebhookGuard.SAME_STATE
    if to is not EndpointState.ENABLED and not reason.strip():
        return WebhookGuard.REASON_MISSING
    return None
