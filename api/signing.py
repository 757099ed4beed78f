"""Signatures by REST: the caller's own password, checked again just now, stands behind each one."""

from api.auth import Caller
from api.problems import INVALID, TOO_MANY_ATTEMPTS, ProblemError
from api.sign_in import check_password
from api.state import now
from domain.audit import Signature
from store.pool import Pool


def make_signature(pool: Pool, caller: Caller, password: str | None, meaning: str) -> Signature | None:
    """The caller's signature where a password comes along and is right; None without one: a guard then refuses.

    Raises
    ------
    ProblemError
        422: the password is wrong, or a token calls. 429: locked after too many wrong ones.
    """
    if password is None:
        return None
    if caller.user_id is None or caller.session is None:
        detail = "a token cannot sign; a person must, signed in"
        raise ProblemError(INVALID, fields={"password": detail}, signature="token")
    refused = check_password(pool, caller.name, password, at=now(), request_id=caller.request_id)
    if refused is not None and refused.reason == "locked":
        wait = {"Retry-After": str(int(refused.wait_s) + 1)}
        raise ProblemError(TOO_MANY_ATTEMPTS, headers=wait, signature="locked")
    if refused is not None and refused.reason == "no_password":
        detail = "you sign in at the provider and have no password to sign with; set one on the page of your account"
        raise ProblemError(INVALID, fields={"password": detail}, signature="no_password")
    if refused is not None:
        raise ProblemError(INVALID, fields={"password": "is not your password"}, signature="wrong")
    return Signature(caller.user_id, caller.full_name, meaning)
