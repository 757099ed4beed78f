"""What people do with their own account: password, second factor, sessions. The same for the API and the console."""

from datetime import timedelta

from fastapi import Request

from api.auth import Caller
from api.passwords import find_password_weakness, hash_password, hash_secret
from api.problems import GUARD_REFUSED, INVALID, TOO_MANY_ATTEMPTS, ProblemError, not_found
from api.seals import load_seal
from api.second_factor import begin_set_up, confirm_set_up, find_begun_secret, renew_recovery_codes
from api.settings import ApiSettings
from api.sign_in import check_password, find_cookie_name
from api.state import ApiState, now
from domain.audit_sign_in import (
    recovery_codes_made,
    second_factor_removed,
    second_factor_set_up,
    sessions_ended,
)
from domain.audit_user import password_changed
from store.audit import record_audit
from store.second_factors import remove_second_factor
from store.sessions import (
    SessionUser,
    remove_session_of,
    remove_sessions_of,
    use_reauthentication,
)
from store.users import User, load_user, record_password

REAUTHENTICATED = timedelta(minutes=5)  # for how long the provider's word is good for a new password


def find_session(caller: Caller) -> SessionUser:
    """The caller's session.

    Raises
    ------
    ProblemError
        422: a token calls.
    """
    if caller.session is None:
        raise ProblemError(INVALID, "A token is no person: it has no password, no second factor and no sessions.")
    return caller.session


def verify_own_password(state: ApiState, caller: Caller, password: str, field: str = "password") -> None:
    """Returns when it is the caller's password; wrong ones count towards the lock.

    Raises
    ------
    ProblemError
        422: it is wrong, there is none, or a token calls. 429: locked.
    """
    find_session(caller)
    refused = check_password(state.pool, caller.name, password, at=now(), request_id=caller.request_id)
    if refused is None:
        return
    if refused.reason == "locked":
        raise ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": str(int(refused.wait_s) + 1)})
    if refused.reason == "no_password":
        detail = "the account has none; set one on the account's page"
        raise ProblemError(INVALID, fields={field: detail}, guard="no_password")
    raise ProblemError(INVALID, fields={field: "is not the password"})


def comes_by_provider_alone(settings: ApiSettings, user: User) -> bool:
    """The account is tied to an identity at the provider, and no password opens it."""
    return settings.has_provider and user.is_linked and user.name not in settings.break_glass_names


def change_own_password(state: ApiState, caller: Caller, request: Request, *, current: str, new: str) -> None:
    """The caller's password is `new`, and this session is the only one left.

    Who comes by the provider alone has been asked by it again, minutes ago and for this one change, and gives no
    current password.

    Raises
    ------
    ProblemError
        422: a token calls, the current password is wrong or the new one too weak. 429: locked. 409: the provider
        has to ask again.
    """
    session = find_session(caller)
    with state.pool.connection() as conn:
        user = load_user(conn, caller.name)
    by_provider = user is not None and comes_by_provider_alone(state.settings, user)
    if not by_provider:
        verify_own_password(state, caller, current, "current")
    weakness = find_password_weakness(new, name=caller.name)
    if weakness is None and new == current:
        weakness = "must differ from the current one"
    if weakness is not None:
        raise ProblemError(INVALID, fields={"new": weakness})
    password_hash = hash_password(new)
    with state.pool.connection() as conn:
        if by_provider and not use_reauthentication(conn, session.id, since=now() - REAUTHENTICATED):
            raise ProblemError(
                GUARD_REFUSED,
                "The provider has to ask who you are just before: begin on the account's page.",
                guard="not_reauthenticated",
            )
        record_password(conn, session.user_id, password_hash, must_change_password=False)
        remove_sessions_of(conn, session.user_id, keep=_find_own_hash(state, request))
        record_audit(conn, caller.actor, password_changed(caller.name))


def begin_own_factor(state: ApiState, caller: Caller, password: str) -> str:
    """A new secret, for this session to confirm within ten minutes.

    Raises
    ------
    ProblemError
        409: there is a factor, or the account comes by the provider alone. 422, 429: as `verify_own_password`.
    """
    session = find_session(caller)
    with state.pool.connection() as conn:
        user = load_user(conn, caller.name)
    if user is not None and comes_by_provider_alone(state.settings, user):
        detail = "You sign in at the provider: its second factor is the one that counts."
        raise ProblemError(GUARD_REFUSED, detail, guard="provider_account")
    verify_own_password(state, caller, password)
    seal = load_seal(state.settings.sign_in_key_file)
    with state.pool.connection() as conn:
        secret = begin_set_up(conn, seal, session.user_id, session_id=session.id, at=now())
    if secret is None:
        raise ProblemError(GUARD_REFUSED, "Remove the second factor that there is first.", guard="factor_exists")
    return secret


def find_own_begun_secret(state: ApiState, caller: Caller) -> str | None:
    """The secret that this session has begun to set up and not confirmed."""
    session = find_session(caller)
    seal = load_seal(state.settings.sign_in_key_file)
    with state.pool.connection() as conn:
        return find_begun_secret(conn, seal, session.user_id, session_id=session.id, at=now())


def confirm_own_factor(state: ApiState, caller: Caller, request: Request, code: str) -> list[str]:
    """The recovery codes; from now on a code is asked for at every sign-in, and all other sessions have ended.

    Raises
    ------
    ProblemError
        409: this session has begun none, or too long ago. 422: the code is wrong.
    """
    session = find_session(caller)
    seal = load_seal(state.settings.sign_in_key_file)
    at = now()
    with state.pool.connection() as conn:
        secret = find_begun_secret(conn, seal, session.user_id, session_id=session.id, at=at)
        if secret is None:
            raise ProblemError(GUARD_REFUSED, "Begin again: this session has no secret to confirm.", guard="not_begun")
        codes = confirm_set_up(conn, session.user_id, secret, code, at=at)
        if codes is None:
            raise ProblemError(INVALID, fields={"code": "is not the code of now; look at the clock of the phone"})
        remove_sessions_of(conn, session.user_id, keep=_find_own_hash(state, request))
        record_audit(conn, caller.actor, second_factor_set_up(caller.name))
    return codes


def renew_own_codes(state: ApiState, caller: Caller, password: str) -> list[str]:
    """New recovery codes in place of all earlier ones.

    Raises
    ------
    ProblemError
        409: there is no second factor. 422, 429: as `verify_own_password`.
    """
    verify_own_password(state, caller, password)
    with state.pool.connection() as conn:
        codes = renew_recovery_codes(conn, find_session(caller).user_id)
        if codes is None:
            raise _no_factor()
        record_audit(conn, caller.actor, recovery_codes_made(caller.name))
    return codes


def remove_own_factor(state: ApiState, caller: Caller, request: Request, password: str) -> None:
    """The caller has no second factor, and this session is the only one left.

    Raises
    ------
    ProblemError
        409: there is none. 422, 429: as `verify_own_password`.
    """
    verify_own_password(state, caller, password)
    user_id = find_session(caller).user_id
    with state.pool.connection() as conn:
        if not remove_second_factor(conn, user_id):
            raise _no_factor()
        remove_sessions_of(conn, user_id, keep=_find_own_hash(state, request))
        record_audit(conn, caller.actor, second_factor_removed(caller.name))


def end_own_session(state: ApiState, caller: Caller, session_id: int) -> None:
    """That session of the caller's has ended, be it this one.

    Raises
    ------
    ProblemError
        404: it is over, or somebody else's.
    """
    user_id = find_session(caller).user_id
    with state.pool.connection() as conn:
        if not remove_session_of(conn, user_id, session_id):
            raise not_found("session", str(session_id), "session_id")
        record_audit(conn, caller.actor, sessions_ended(caller.name, ended=1))


def end_other_sessions(state: ApiState, caller: Caller, request: Request) -> int:
    """This session is the only one left; says how many ended."""
    user_id = find_session(caller).user_id
    with state.pool.connection() as conn:
        ended = remove_sessions_of(conn, user_id, keep=_find_own_hash(state, request))
        if ended:
            record_audit(conn, caller.actor, sessions_ended(caller.name, ended=ended))
    return ended


def _find_own_hash(state: ApiState, request: Request) -> bytes:
    return hash_secret(request.cookies[find_cookie_name(state.settings)])


def _no_factor() -> ProblemError:
    return ProblemError(GUARD_REFUSED, "There is no second factor.", guard="no_second_factor")
