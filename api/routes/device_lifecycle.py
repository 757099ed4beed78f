"""Steps of a device's life-cycle, and the changes of its key fields."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from accounts.broker import BrokerRefusedError, BrokerUnreachableError
from accounts.credentials import revoke_credentials
from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey
from api.preconditions import IfMatch, make_etag
from api.problems import UNAVAILABLE, ProblemError, declare
from api.routes.device_accounts import find_broker
from api.routes.devices import find_device
from api.settings import ApiSettings
from api.shapes.master_data import KeyFieldChange, LifecycleAnswer, LifecycleTransition
from api.shapes.pages import Page
from api.state import Database, State, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.broker_account import AccountKind, BrokerAccount, find_name_problem
from domain.masking import mask_history, mask_owner
from domain.master_data import MasterKind
from domain.roles import Permission
from store.device_lifecycle import record_lifecycle
from store.devices import Device
from store.key_fields import KeyFieldEntry, load_key_history
from store.pool import Connection

router = make_router("/devices", tag="installed base")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Writer = Annotated[Caller, require(Permission.MASTER_DATA_WRITE)]


@router.post(
    "/{serial}/transitions",
    summary="A step of a device's life-cycle",
    response_model=LifecycleAnswer,
    responses=declare(404, 409, 412, 428),
)
def take_lifecycle_step(
    serial: str,
    caller: Writer,
    state: State,
    pool: Database,
    request: Request,
    body: LifecycleTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The device is that from now on; 409 names the guard. DECOMMISSIONED is for good: its account at the broker is
    revoked in the same step, and 503 says that the broker could not be told, and that nothing is changed."""

    def work(conn: Connection) -> tuple[LifecycleAnswer, dict[str, str]]:
        find_device(conn, serial, caller)
        record_lifecycle(
            conn,
            caller.actor,
            serial,
            body.to,
            reason=body.reason,
            expected_row_version=version,
            revoke=_find_revocation(state.settings, caller, serial),
            now=now(),
        )
        device = find_device(conn, serial, caller)
        answer = {name: getattr(device, name) for name in LifecycleAnswer.model_fields}
        return LifecycleAnswer.model_validate(answer), {"ETag": make_etag(device.row_version)}

    try:
        return take_step_once(
            pool,
            caller,
            request,
            idempotency_key,
            body,
            work,
            entity=MasterKind.DEVICE,
            code=serial,
            find_row_version=lambda conn: find_device(conn, serial, caller).row_version,
        )
    except (BrokerUnreachableError, BrokerRefusedError) as error:
        raise ProblemError(UNAVAILABLE, str(error), headers={"Retry-After": "5"}) from error


@router.get("/{serial}/key-fields", summary="Changes of a device's key fields", responses=declare(404))
def list_key_field_changes(
    serial: str, caller: Reader, pool: Database, limit: Limit = 100, cursor: Cursor = None
) -> Page[KeyFieldChange]:
    """Changes of serial, UDI, owner and site, newest first; of those that two people made, who, why, and where it
    stands in the audit."""
    keys = read_cursor(cursor, [int])
    before_id = int(keys[0]) if keys else None
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        found = load_key_history(conn, device.id, before_id=before_id, limit=limit + 1)
    page = found[:limit]
    more = make_cursor([page[-1].id]) if len(found) > limit else None
    return Page(items=[_shape(entry, device, caller) for entry in page], next_cursor=more)


def _find_revocation(settings: ApiSettings, caller: Caller, serial: str) -> Callable[[Connection], object] | None:
    """What ends the account of a device that is gone; None: this API may not change accounts."""
    account = BrokerAccount(AccountKind.DEVICE, serial)
    if find_name_problem(account) is not None:
        return lambda conn: None  # a name that no account can have
    if settings.broker_admin_url is None:
        return None
    broker = find_broker(settings)
    return lambda conn: revoke_credentials(conn, broker, caller.actor, account)


def _shape(entry: KeyFieldEntry, device: Device, caller: Caller) -> KeyFieldChange:
    values = {name: getattr(entry, name) for name in KeyFieldChange.model_fields}
    before, source = mask_history(entry.field, entry.before, entry.source, caller.permissions)
    if not caller.may(Permission.STAFF_READ):
        values |= dict.fromkeys(("asked_by", "decided_by", "reason", "approval_request", "audit_seq"))
    after = mask_owner(entry.field, entry.after, (device.customer_code, device.site_code), caller.permissions)
    return KeyFieldChange.model_validate(values | {"before": before, "after": after, "source": source})
