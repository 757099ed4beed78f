"""Who is calling and whether they may: a bearer token or a console session, and the permission that a route names.

    @router.get("/devices")
    def list_devices(caller: Annotated[Caller, require(Permission.DEVICE_READ)], ...): ...

`customer_id` of the caller goes into every query that reads records: a customer's user sees its own rows only.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request

from api.csrf_token import is_csrf_token
from api.form_reading import read_form
from api.passwords import TOKEN_PREFIX, hash_secret
from api.problems import (
    CSRF,
    FORBIDDEN,
    PASSWORD_CHANGE_REQUIRED,
    SECOND_FACTOR_REQUIRED,
    UNAUTHENTICATED,
    ProblemError,
)
from api.settings import ApiSettings
from api.sign_in import find_cookie_name, find_idle
from api.state import ApiState, find_state, now
from domain.audit import Actor
from domain.roles import EVERYBODYS, Permission, Role, find_permissions, find_role_for
from store.pool import without_transaction
from store.sessions import SessionUser, load_session
from store.tokens import Token, load_valid_token

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and by which right this request was let in."""

    name: str  # the account's name, or `token:<name>`: what the audit names
    full_name: str
    roles: tuple[str, ...]
    permissions: frozenset[Permission]
    permission: Permission
    customer_id: int | None  # not None: sees this customer's rows only
    user_id: int | None
    language: str
    request_id: str
    session: SessionUser | None = None
    token: Token | None = None

    @property
    def role(self) -> str:
        """The role that gave the right, for the audit."""
        return find_role_for(self.roles, self.permission) or ""

    @property
    def actor(self) -> Actor:
        """Who acts, as the audit and the life-cycles want it."""
        return Actor(self.name, self.role, self.permission.value, self.user_id, self.request_id)

    def may(self, permission: Permission) -> bool:
        """Whether the caller has this right as well."""
        return permission in self.permissions

    def acting_by(self, permission: Permission) -> "Caller":
        """The same caller by another of its rights.

        Raises
        ------
        ProblemError
            403: the caller does not have it.
        """
        if permission not in self.permissions:
            raise missing_permission(permission)
        return replace(self, permission=permission)


async def read_csrf_token(request: Request) -> str | None:
    """The token that a form or a script sent along with an unsafe request."""
    if request.method in SAFE_METHODS:
        return None
    header = request.headers.get(CSRF_HEADER)
    if header is not None:
        return header
    kind = request.headers.get("content-type", "")
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        value = (await read_form(request)).get(CSRF_FIELD)
        return value if isinstance(value, str) else None
    return None


class Requirement:
    """The check of one route: who calls, and that they hold `permission`."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request, csrf: Annotated[str | None, Depends(read_csrf_token)]) -> Caller:
        """The caller.

        Raises
        ------
        ProblemError
            401 without valid credentials, 403 without the permission or from another site's page.
        """
        caller = identify(request, self.permission, csrf)
        if caller is None:
            raise ProblemError(UNAUTHENTICATED, headers={"WWW-Authenticate": 'Bearer realm="forewarn"'})
        must_change = caller.session is not None and caller.session.must_change_password
        if must_change and self.permission is not Permission.ACCOUNT_USE:
            raise ProblemError(PASSWORD_CHANGE_REQUIRED)
        if self.permission is not Permission.ACCOUNT_USE and lacks_second_factor(find_state(request).settings, caller):
            raise ProblemError(SECOND_FACTOR_REQUIRED)
        if self.permission not in caller.permissions:
            if caller.customer_id is not None and self.permission in EVERYBODYS:
                detail = "An account of one customer does not change what counts for all of them."
                raise ProblemError(FORBIDDEN, detail, permission=self.permission.value)
            raise missing_permission(self.permission)
        return caller


def lacks_second_factor(settings: ApiSettings, caller: Caller) -> bool:
    """Everybody who comes by a password needs a second factor here, and this person has none yet."""
    session = caller.session
    return (
        settings.second_factor_required
        and session is not None
        and session.method != "PROVIDER"
        and not session.has_second_factor
    )


def require(permission: Permission) -> Any:
    """The dependency that lets in who holds `permission`, and tells the handler who it is."""
    return Depends(Requirement(permission))


def missing_permission(permission: Permission) -> ProblemError:
    """403 that names the right."""
    return ProblemError(FORBIDDEN, f"This needs the permission {permission.value}.", permission=permission.value)


def identify(request: Request, permission: Permission, csrf: str | None) -> Caller | None:
    """Who calls by token or session, or None; whether they hold `permission` is not looked at.

    Raises
    ------
    ProblemError
        403: a session's unsafe request without its CSRF token, or from another site.
    """
    state = find_state(request)
    request_id: str = request.state.request_id
    authorization = request.headers.get("authorization")
    if authorization is not None:
        caller = _identify_token(state, authorization, permission, request_id)
    else:
        caller = _identify_session(state, request, permission, request_id)
        if caller is not None and caller.session is not None and request.method not in SAFE_METHODS:
            verify_same_origin(request)
            if csrf is None or not is_csrf_token(csrf, caller.session.csrf_token):
                raise ProblemError(
                    CSRF,
                    "The CSRF token is missing or not this session's.",
                    fields={"X-CSRF-Token": "missing or wrong"},
                )
    if caller is not None:
        request.state.caller = caller.name
    return caller


def verify_same_origin(request: Request) -> None:
    """Returns when the browser says, or does not deny, that the request comes from this site's own page.

    Raises
    ------
    ProblemError
        403: it says that it comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise ProblemError(CSRF)
    origin = request.headers.get("origin")
    if site is None and origin is not None and origin.split("://", 1)[-1] != request.headers.get("host"):
        raise ProblemError(CSRF)


def _identify_token(state: ApiState, authorization: str, permission: Permission, request_id: str) -> Caller | None:
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(TOKEN_PREFIX):
        return None
    with without_transaction(state.pool) as conn:
        token = load_valid_token(conn, hash_secret(secret.strip()), at=now())
    if token is None:
        return None
    _verify_customer((token.role,), token.customer_id)
    return Caller(
        name=f"token:{token.name}",
        full_name=token.name,
        roles=(token.role,),
        permissions=find_permissions((token.role,), of_one_customer=token.customer_id is not None),
        permission=permission,
        customer_id=token.customer_id,
        user_id=None,
        language="",
        request_id=request_id,
        token=token,
    )


def _identify_session(state: ApiState, request: Request, permission: Permission, request_id: str) -> Caller | None:
    cookie = request.cookies.get(find_cookie_name(state.settings))
    if not cookie:
        return None
    with without_transaction(state.pool) as conn:
        # A stream that a forgotten page opens again and again is nobody at work.
        touch = not request.url.path.endswith("/events/stream")
        session = load_session(conn, hash_secret(cookie), at=now(), idle=find_idle(state.settings), touch=touch)
    if session is None:
        return None
    _verify_customer(tuple(session.roles), session.customer_id)
    return Caller(
        name=session.name,
        full_name=session.full_name,
        roles=tuple(session.roles),
        permissions=find_permissions(session.roles, of_one_customer=session.customer_id is not None),
        permission=permission,
        customer_id=session.customer_id,
        user_id=session.user_id,
        language=session.language,
        request_id=request_id,
        session=session,
    )


def _verify_customer(roles: tuple[str, ...], customer_id: int | None) -> None:
    # Without a customer's id every query would show everybody's rows: such an account opens nothing.
    if Role.CUSTOMER in roles and customer_id is None:
        raise ProblemError(FORBIDDEN, "This customer account belongs to no customer; an administrator must name one.")
