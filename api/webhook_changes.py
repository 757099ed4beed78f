"""What administrators do with webhooks: the same for the API and for the console."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from api.auth import Caller
from api.problems import INVALID, ProblemError, not_found
from api.settings import ApiSettings
from api.shapes.webhooks import DeliveryShape, NewWebhook, Replay, WebhookChange, WebhookShape, WebhookTransition
from domain.roles import Permission
from domain.webhook import EndpointState, find_unknown_types
from domain.webhook_address import URL_PROBLEMS, find_url_problem, hide_query, read_networks
from domain.webhook_signature import SECRET_BYTES
from domain.webhook_signature import make_secret as write_secret
from store.customers import load_customer_id
from store.pool import Connection
from store.webhook_deliveries import record_test
from store.webhook_lists import Delivery, load_delivery
from store.webhook_replays import replay_since
from store.webhook_secrets import seal_secret
from store.webhooks import (
    Endpoint,
    EndpointDraft,
    change_endpoint,
    load_endpoint,
    lock_endpoint,
    move_endpoint,
    record_endpoint,
    reserve_code,
    rotate_secret,
)

# The permission that reads what an event is about, by the kind of its record.
EVENT_RIGHTS = {
    "breach": Permission.BREACH_READ,
    "work_order": Permission.WORK_ORDER_READ,
    "capa": Permission.CAPA_READ,
    "field_action": Permission.FIELD_ACTION_READ,
    "field_action_item": Permission.FIELD_ACTION_READ,
    "device": Permission.DEVICE_READ,
    "monitor": Permission.CAPA_READ,
    "complaint": Permission.COMPLAINT_READ,
    "webhook": Permission.WEBHOOK_READ,
}


def make_secret() -> str:
    """A random secret as receivers take it."""
    return write_secret(secrets.token_bytes(SECRET_BYTES))


def find_webhook(conn: Connection, caller: Caller, code: str) -> Endpoint:
    """The endpoint of that code if it is the caller's to see, or a 404."""
    endpoint = load_endpoint(conn, code, customer_id=caller.customer_id)
    if endpoint is None:
        raise not_found("webhook", code, "code")
    return endpoint


def find_delivery(conn: Connection, caller: Caller, delivery_id: int) -> Delivery:
    """The delivery of that id if its endpoint is the caller's to see, or a 404."""
    delivery = load_delivery(conn, delivery_id, customer_id=caller.customer_id)
    if delivery is None:
        raise not_found("delivery", str(delivery_id), "delivery_id")
    return delivery


def describe_webhook(endpoint: Endpoint, caller: Caller) -> WebhookShape:
    """The endpoint as the caller may see it."""
    shape = WebhookShape.model_validate(endpoint)
    if caller.may(Permission.WEBHOOK_MANAGE):
        return shape
    return shape.model_copy(update={"url": hide_query(endpoint.url)})


def describe_delivery(delivery: Delivery) -> DeliveryShape:
    """The delivery as it stands in lists."""
    shape = DeliveryShape.model_validate({name: getattr(delivery, name) for name in DeliveryShape.model_fields})
    is_due = delivery.state == "WAITING" and not delivery.is_held
    return shape if is_due else shape.model_copy(update={"due_at": None})


def may_read_event(delivery: Delivery, caller: Caller) -> bool:
    """Whether the caller may read what the event is about: an administrator of webhooks need not."""
    right = EVENT_RIGHTS.get(delivery.entity)
    return right is not None and caller.may(right)


def make_webhook(
    conn: Connection, caller: Caller, settings: ApiSettings, body: NewWebhook, secret: str, *, at: datetime
) -> Endpoint:
    """A new endpoint by that secret.

    Raises
    ------
    ProblemError
        422: the address, a type of event or the customer cannot be used.
    """
    draft = _find_draft(conn, settings, body)
    code = reserve_code(conn, at)
    sealed = seal_secret(settings.webhook_key_file, code, secret)
    return record_endpoint(conn, caller.actor, code, draft, sealed, now=at)


def change_webhook(
    conn: Connection,
    caller: Caller,
    settings: ApiSettings,
    code: str,
    body: WebhookChange,
    *,
    expected: int,
    at: datetime,
) -> Endpoint:
    """The endpoint as the body has it.

    Raises
    ------
    ProblemError
        404; 422 as `make_webhook`.
    RowVersionConflictError, GuardRefusedError
        It has moved since, or is retired.
    """
    find_webhook(conn, caller, code)
    draft = _find_draft(conn, settings, body)
    return change_endpoint(conn, caller.actor, code, draft, body.reason, expected=expected, now=at)


def move_webhook(
    conn: Connection, caller: Caller, code: str, body: WebhookTransition, *, expected: int, at: datetime
) -> Endpoint:
    """The endpoint in its new state.

    Raises
    ------
    ProblemError
        404.
    RowVersionConflictError, GuardRefusedError
        It has moved since, or a rule refuses it (`domain.webhook.WebhookGuard`).
    """
    find_webhook(conn, caller, code)
    move_endpoint(conn, caller.actor, code, EndpointState(body.to), body.reason, expected=expected, now=at)
    return find_webhook(conn, caller, code)


def give_new_secret(
    conn: Connection,
    caller: Caller,
    settings: ApiSettings,
    code: str,
    secret: str,
    *,
    overlap: timedelta,
    expected: int,
    at: datetime,
) -> Endpoint:
    """The endpoint, whose messages that secret signs from now on, beside the one before for that time.

    Raises
    ------
    ProblemError
        404.
    RowVersionConflictError, GuardRefusedError
        It has moved since, or is retired.
    """
    find_webhook(conn, caller, code)
    endpoint = lock_endpoint(conn, code, expected)
    sealed = seal_secret(settings.webhook_key_file, code, secret)
    rotate_secret(conn, caller.actor, endpoint, sealed, previous_until=at + overlap, now=at)
    return find_webhook(conn, caller, code)


def send_test(conn: Connection, caller: Caller, code: str, *, at: datetime) -> Delivery:
    """An event that is made for this endpoint alone.

    Raises
    ------
    ProblemError
        404.
    GuardRefusedError
        It is retired.
    """
    find_webhook(conn, caller, code)
    endpoint = lock_endpoint(conn, code, None)
    return find_delivery(conn, caller, record_test(conn, caller.actor, endpoint.id, code, now=at))


def replay_webhook(conn: Connection, caller: Caller, code: str, body: Replay, *, at: datetime) -> int:
    """How many events are delivered to the endpoint again.

    Raises
    ------
    ProblemError
        404.
    GuardRefusedError
        It is not enabled.
    """
    find_webhook(conn, caller, code)
    return replay_since(conn, caller.actor, lock_endpoint(conn, code, None), body.since, body.scope, now=at)


def _find_draft(conn: Connection, settings: ApiSettings, body: NewWebhook) -> EndpointDraft:
    wrong = {}
    problem = find_url_problem(body.url, read_networks(settings.webhook_networks))
    if problem is not None:
        wrong["url"] = URL_PROBLEMS[problem]
    unknown = find_unknown_types(body.event_types)
    if unknown:
        wrong["event_types"] = f"there is no type {unknown[0]!r}"
    customer_id = None if body.customer is None else load_customer_id(conn, body.customer)
    if body.customer is not None and customer_id is None:
        wrong["customer"] = f"there is no customer {body.customer!r}"
    if wrong:
        more: dict[str, Any] = {} if problem is None else {"url_problem": problem}
        raise ProblemError(INVALID, fields=wrong, **more)
    return EndpointDraft(body.name, body.url, sorted(set(body.event_types)), customer_id, body.delay_s)
