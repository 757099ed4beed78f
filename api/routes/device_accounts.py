"""Accounts of devices at the broker: engineers make and revoke them, a device fetches its own with a claim code."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, TypeVar

from fastapi import Request
from starlette.responses import Response

from accounts.broker import AccountBroker, BrokerRefusedError, BrokerUnreachableError
from accounts.credentials import (
    AccountNameError,
    Credentials,
    claim_credentials,
    issue_claim_code,
    issue_credentials,
    revoke_credentials,
)
from accounts.opening import find_account_broker
from api.auth import Caller, require
from api.once import IdempotencyKey, change, change_once
from api.problems import (
    INVALID,
    TOO_MANY_ATTEMPTS,
    UNAVAILABLE,
    Kind,
    ProblemError,
    declare,
    not_found,
)
from api.settings import ApiSettings
from api.shapes.device_accounts import Claim, ClaimCodeShape, CredentialsShape, NewClaimCode, NewCredentials
from api.state import Database, State, now
from api.versioned_router import make_router
from domain.broker_account import AccountKind, BrokerAccount, SignInMethod
from domain.errors import NotFoundError
from domain.roles import Permission
from store.pool import Connection

Result = TypeVar("Result")
router = make_router("/devices", tag="device accounts")
Engineer = Annotated[Caller, require(Permission.DEVICE_CREDENTIALS)]
NO_ADMINISTRATION = Kind(409, "no-broker-administration", "This installation makes no accounts at the broker.")
NOT_CONFIDENTIAL = Kind(403, "not-confidential", "Accounts are handed out by HTTPS alone.")
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-real-ip"})  # a proxy was in between
WRONG_CLAIM = Kind(401, "wrong-claim", "The serial or the code is wrong, or the code is used, withdrawn or expired.")


@router.post("/claim", summary="Fetch one's account with a claim code", responses=declare(401, 403, 409, 422, 429, 503))
def claim_account(state: State, pool: Database, request: Request, body: Claim) -> CredentialsShape:
    """Makes the device's account at the broker and uses the code up. For devices; no token, no session."""
    address = request.client.host if request.client else ""
    require_confidential(state.settings, address, is_forwarded=not _FORWARDED.isdisjoint(request.headers.keys()))
    broker = find_broker(state.settings)
    at = now()
    wait_s = state.attempts.find_wait(address, at) or state.attempts.record_unknown_name(
        # By address as well: a stranger who guesses keeps nobody but himself from the code, which nobody guesses.
        f"claim {body.serial} {address}",
        at,
    )
    if wait_s > 0:
        raise ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": str(int(wait_s) + 1)})

    def work(conn: Connection) -> Credentials | None:
        request_id: str = request.state.request_id
        return claim_credentials(conn, broker, body.serial, body.code, at=at, request_id=request_id)

    made = _change(pool, work)
    if made is None:
        state.attempts.record_failure(address, at)
        raise ProblemError(WRONG_CLAIM)
    return CredentialsShape(username=made.username, password=made.password, rotated=made.rotated)


@router.post(
    "/{serial}/credentials",
    summary="Make a device's account, or a new password",
    status_code=201,
    response_model=CredentialsShape,
    responses=declare(404, 409, 422, 503),
)
def make_credentials(
    serial: str,
    caller: Engineer,
    state: State,
    pool: Database,
    request: Request,
    body: NewCredentials,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Makes or rotates the account; whoever uses it is thrown out. A repeated request answers without the password."""
    broker = find_broker(state.settings)
    password: list[str | None] = []

    def work(conn: Connection) -> tuple[CredentialsShape, dict[str, str]]:
        account = BrokerAccount(AccountKind.DEVICE, serial)
        made = issue_credentials(conn, broker, caller.actor, account, SignInMethod(body.method))
        password[:] = [made.password]
        kept = None if made.password is None else ""
        return CredentialsShape(username=made.username, password=kept, rotated=made.rotated), {}

    return _mapped(
        lambda: change_once(
            pool,
            caller,
            request,
            idempotency_key,
            body,
            work,
            present=lambda shape, replayed: shape if replayed else {**shape, "password": password[0]},
        )
    )


@router.delete(
    "/{serial}/credentials",
    summary="Revoke a device's account",
    status_code=204,
    response_class=Response,
    responses=declare(404, 409, 503),
)
def end_credentials(serial: str, caller: Engineer, state: State, pool: Database) -> Response:
    """Nobody signs in with it any more, nor by a claim code that is still open; doing it again changes nothing."""
    broker = find_broker(state.settings)
    account = BrokerAccount(AccountKind.DEVICE, serial)
    _change(pool, lambda conn: revoke_credentials(conn, broker, caller.actor, account))
    return Response(status_code=204)


@router.post(
    "/{serial}/claim-code",
    summary="Make a claim code for a device",
    status_code=201,
    response_model=ClaimCodeShape,
    responses=declare(404, 409, 422),
)
def make_claim_code(
    serial: str,
    caller: Engineer,
    pool: Database,
    request: Request,
    body: NewClaimCode,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A code by which the device fetches its account once; one made before opens nothing any more."""
    expires_at = now() + timedelta(hours=body.hours)
    code: list[str] = []

    def work(conn: Connection) -> tuple[ClaimCodeShape, dict[str, str]]:
        code[:] = [issue_claim_code(conn, caller.actor, serial, expires_at=expires_at)]
        return ClaimCodeShape(serial=serial, code="", expires_at=expires_at), {}

    return _mapped(
        lambda: change_once(
            pool,
            caller,
            request,
            idempotency_key,
            body,
            work,
            present=lambda shape, replayed: shape if replayed else {**shape, "code": code[0]},
        )
    )


def find_broker(settings: ApiSettings) -> AccountBroker:
    """The broker's administration.

    Raises
    ------
    ProblemError
        409: this API was given no account that may manage accounts.
    """
    if settings.broker_admin_url is None:
        raise ProblemError(
            NO_ADMINISTRATION, "FOREWARN_MQTT_ADMIN_URL is not set for this API.", guard="no_broker_administration"
        )
    return find_account_broker(settings.broker_admin_url)


def require_confidential(settings: ApiSettings, address: str, *, is_forwarded: bool) -> None:
    """Returns when a password may go back that way: by TLS as people come, or without leaving this machine.

    What a proxy passes on has come from elsewhere, although the proxy may be here.

    Raises
    ------
    ProblemError
        403: it would travel in clear.
    """
    try:
        is_here = ip_address(address).is_loopback
    except ValueError:
        is_here = False
    if not settings.is_https and (is_forwarded or not is_here):
        raise ProblemError(
            NOT_CONFIDENTIAL, "FOREWARN_API_PUBLIC_URL does not begin with https://.", guard="not_confidential"
        )


def _change(pool: Database, work: Callable[[Connection], Result]) -> Result:
    return _mapped(lambda: change(pool, work))


def _mapped(act: Callable[[], Result]) -> Result:
    try:
        return act()
    except NotFoundError as error:
        raise not_found("device", error.detail, "serial") from error
    except AccountNameError as error:
        raise ProblemError(INVALID, str(error), fields={"serial": "cannot be an account's name"}) from error
    except (BrokerUnreachableError, BrokerRefusedError) as error:
        raise ProblemError(UNAVAILABLE, str(error), headers={"Retry-After": "5"}) from error
