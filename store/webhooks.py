"""Endpoints of outgoing webhooks. Their secrets are read by `load_secrets` alone, for whoever signs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_webhook import secret_rotated, webhook_changed, webhook_created, webhook_moved
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.webhook import EndpointState, StateCause, WebhookGuard, find_state_refusal
from domain.webhook_address import hide_query
from store.audit import record_audit
from store.pool import Connection
from store.webhook_deliveries import cancel_deliveries, cancel_deliveries_of_others, hasten_deliveries


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint, without its secret. `waiting` and `dead` count its deliveries, to one above `MOST_COUNTED`."""

    id: int
    code: str
    name: str
    url: str
    event_types: list[str]  # empty: all
    customer_id: int | None
    customer: str | None  # code
    delay_s: int
    state: EndpointState
    state_cause: StateCause
    state_reason: str
    state_since: datetime
    previous_until: datetime | None
    created_by: str
    row_version: int
    created_at: datetime
    updated_at: datetime
    waiting: int
    dead: int
    oldest_waiting_at: datetime | None
    last_delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """What people say of an endpoint."""

    name: str
    url: str
    event_types: Sequence[str]
    customer_id: int | None
    delay_s: int


# Of more than this it is only said that there are more: counting hundreds of thousands takes longer than a page may. In
# order, so that an index is walked and left: the whole table is never looked at.
MOST_COUNTED = 1_000
LOAD_ENDPOINTS = f"""
    SELECT e.id, e.code, e.name, e.url, e.event_types, e.customer_id, c.code AS customer, e.delay_s, e.state,
        e.state_cause, e.state_reason, e.state_since, e.previous_until, e.created_by, e.row_version, e.created_at,
        e.updated_at,
        w.waiting, w.oldest_waiting_at,
        (SELECT count(*) FROM (SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.state = 'DEAD'
            ORDER BY d.id LIMIT {MOST_COUNTED + 1}) AS q) AS dead,
        (SELECT max(d.finished_at) FROM webhook_delivery d
            WHERE d.endpoint_id = e.id AND d.state = 'DELIVERED') AS last_delivered_at
    FROM webhook_endpoint e LEFT JOIN customer c ON c.id = e.customer_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, min(q.created_at) AS oldest_waiting_at
        FROM (SELECT d.created_at FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.state = 'WAITING'
            ORDER BY d.created_at LIMIT {MOST_COUNTED + 1}) AS q
    ) w
    WHERE (%(code)s = '' OR e.code = %(code)s) AND (%(state)s = '' OR e.state = %(state)s)
        AND (%(customer_id)s::bigint IS NULL OR e.customer_id = %(customer_id)s)
        AND (%(before_id)s::bigint IS NULL OR e.id < %(before_id)s)
    ORDER BY e.id DESC LIMIT %(limit)s
"""  # noqa: S608 - a constant


def load_endpoints(
    conn: Connection,
    *,
    customer_id: int | None,
    code: str = "",
    state: str = "",
    before_id: int | None = None,
    limit: int,
) -> list[Endpoint]:
    """Endpoints, the newest first; of one customer alone where one is named."""
    values = {"code": code, "state": state, "customer_id": customer_id, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(Endpoint)) as cursor:
        found = cursor.execute(LOAD_ENDPOINTS, values).fetchall()
    return [_with_codes(endpoint) for endpoint in found]


def load_endpoint(conn: Connection, code: str, *, customer_id: int | None) -> Endpoint | None:
    """The endpoint of that code, if it is of that customer (None: of any)."""
    found = load_endpoints(conn, customer_id=customer_id, code=code, limit=1) if code else []
    return found[0] if found else None


RESERVE_CODE = """
    SELECT 'WH-' || extract(year FROM %s::timestamptz)::text || '-'
        || to_char(nextval('webhook_number'), 'FM9999999999000000')
"""


def reserve_code(conn: Connection, now: datetime) -> str:
    """The code of an endpoint that is about to be made: its secret is sealed for it."""
    row = conn.execute(RESERVE_CODE, (now,)).fetchone()
    assert row is not None
    return str(row[0])


RECORD_ENDPOINT = """
    INSERT INTO webhook_endpoint (code, name, url, event_types, customer_id, delay_s, state_since, sealed_secret,
        created_by, created_at, updated_at)
    VALUES (%(code)s, %(name)s, %(url)s, %(event_types)s, %(customer_id)s, %(delay_s)s, %(now)s, %(sealed)s, %(by)s,
        %(now)s, %(now)s)
"""


def record_endpoint(
    conn: Connection, actor: Actor, code: str, draft: EndpointDraft, sealed: bytes, *, now: datetime
) -> Endpoint:
    """A new endpoint, told of what happens from now on; `sealed` is its secret, sealed for this code."""
    values = _describe(draft) | {"code": code, "sealed": sealed, "by": actor.name, "now": now}
    conn.execute(RECORD_ENDPOINT, values)
    endpoint = load_endpoint(conn, code, customer_id=None)
    assert endpoint is not None
    record_audit(conn, actor, webhook_created(code, _show(endpoint)))
    return endpoint


LOCK_ENDPOINT = "SELECT row_version FROM webhook_endpoint WHERE code = %s FOR NO KEY UPDATE"


def lock_endpoint(conn: Connection, code: str, expected_row_version: int | None) -> Endpoint:
    """The endpoint as it is now; nobody changes it before this transaction ends.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it has moved since the caller saw it.
    GuardRefusedError
        It is retired.
    """
    row = conn.execute(LOCK_ENDPOINT, (code,)).fetchone()
    endpoint = None if row is None else load_endpoint(conn, code, customer_id=None)
    if endpoint is None:
        raise NotFoundError(code)
    if expected_row_version is not None and endpoint.row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {endpoint.row_version}, not {expected_row_version}.")
    if endpoint.state is EndpointState.RETIRED:
        raise GuardRefusedError(WebhookGuard.RETIRED, "it is retired; make another one")
    return endpoint


CHANGE_ENDPOINT = """
    UPDATE webhook_endpoint SET name = %(name)s, url = %(url)s, event_types = %(event_types)s,
        customer_id = %(customer_id)s, delay_s = %(delay_s)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def change_endpoint(
    conn: Connection, actor: Actor, code: str, draft: EndpointDraft, reason: str, *, expected: int, now: datetime
) -> Endpoint:
    """The endpoint as people want it from now on; what is planned already is delivered, to the new address, but nothing
    of another customer than the new one.

    Raises
    ------
    NotFoundError, RowVersionConflictError, GuardRefusedError
        As `lock_endpoint`.
    """
    before = lock_endpoint(conn, code, expected)
    conn.execute(CHANGE_ENDPOINT, _describe(draft) | {"id": before.id, "now": now})
    if draft.customer_id is not None and draft.customer_id != before.customer_id:
        cancel_deliveries_of_others(conn, before.id, draft.customer_id, now)
    after = load_endpoint(conn, code, customer_id=None)
    assert after is not None
    was, becomes = _show(before), _show(after)
    names = [name for name in was if was[name] != becomes[name]]
    if before.url != after.url and "url" not in names:  # its query alone, which is not told
        names.append("url")
    was, becomes = ({name: shown[name] for name in names} for shown in (was, becomes))
    record_audit(conn, actor, webhook_changed(code, was, becomes, reason))
    return after


MOVE_ENDPOINT = """
    UPDATE webhook_endpoint SET state = %(to)s, state_cause = %(cause)s, state_reason = %(reason)s,
        state_since = %(now)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""
FORGET_SECRETS = """
    UPDATE webhook_endpoint SET sealed_secret = '', previous_sealed_secret = NULL, previous_until = NULL, state = %s
    WHERE id = %s
"""


def move_endpoint(
    conn: Connection,
    actor: Actor,
    code: str,
    to: EndpointState,
    reason: str,
    *,
    expected: int | None,
    now: datetime,
    cause: StateCause = StateCause.PERSON,
) -> None:
    """Enables, disables or retires it. Retired, it has no secret any more, and what waits is cancelled.

    Raises
    ------
    NotFoundError, RowVersionConflictError, GuardRefusedError
        As `lock_endpoint`; or it is in that state already, or no reason is given.
    """
    before = lock_endpoint(conn, code, expected)
    refusal = find_state_refusal(before.state, to, reason)
    if refusal is WebhookGuard.SAME_STATE:
        raise GuardRefusedError(refusal, f"it is {to} already")
    if refusal is not None:
        raise GuardRefusedError(refusal, "this needs a reason")
    values = {"id": before.id, "to": to, "cause": cause, "reason": reason, "now": now}
    if to is EndpointState.RETIRED:
        conn.execute(FORGET_SECRETS, (to, before.id))
        cancel_deliveries(conn, before.id, now)
    if to is EndpointState.ENABLED:
        hasten_deliveries(conn, before.id, now)
    conn.execute(MOVE_ENDPOINT, values)
    record_audit(conn, actor, webhook_moved(code, before.state, to, reason))


ROTATE = """
    UPDATE webhook_endpoint SET previous_sealed_secret = sealed_secret, previous_until = %(until)s,
        sealed_secret = %(sealed)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def rotate_secret(
    conn: Connection, actor: Actor, endpoint: Endpoint, sealed: bytes, *, previous_until: datetime, now: datetime
) -> None:
    """Messages are signed by this secret, and by the one before until `previous_until`. The caller has locked it."""
    values = {"id": endpoint.id, "sealed": sealed, "until": previous_until, "now": now}
    conn.execute(ROTATE, values)
    record_audit(conn, actor, secret_rotated(endpoint.code, previous_until=previous_until))


LOAD_SECRETS = """
    SELECT code, sealed_secret, CASE WHEN previous_until > %(now)s THEN previous_sealed_secret END
    FROM webhook_endpoint WHERE code = ANY (%(codes)s)
"""


def load_secrets(conn: Connection, codes: Sequence[str], now: datetime) -> dict[str, list[bytes]]:
    """The sealed secrets that sign for each endpoint now, the newest first."""
    rows = conn.execute(LOAD_SECRETS, {"codes": list(codes), "now": now}).fetchall()
    return {row[0]: [sealed for sealed in row[1:] if sealed] for row in rows}


def _with_codes(endpoint: Endpoint) -> Endpoint:
    state, cause = EndpointState(endpoint.state), StateCause(endpoint.state_cause)
    return replace(endpoint, state=state, state_cause=cause)


def _describe(draft: EndpointDraft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "url": draft.url,
        "event_types": list(draft.event_types),
        "customer_id": draft.customer_id,
        "delay_s": draft.delay_s,
    }


def _show(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "url": hide_query(endpoint.url),
        "event_types": endpoint.event_types,
        "customer": endpoint.customer,
        "delay_s": endpoint.delay_s,
    }
