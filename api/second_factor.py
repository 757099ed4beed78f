"""The second factor of an account: set up, judged, renewed. It guards signing in; a signature takes the password."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from api.attempts import find_lock_seconds
from api.passwords import hash_secret
from api.seals import Seal
from api.totp import find_recovery_text, find_step, make_recovery_codes, make_secret
from store.pool import Connection
from store.second_factors import (
    begin_second_factor,
    confirm_second_factor,
    load_second_factor,
    record_factor_attempts,
    record_recovery_codes,
    use_recovery_code,
    use_step,
)

SET_UP_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CodeTaken:
    """The code was right, and is good for nothing any more."""

    by: Literal["SECOND_FACTOR", "RECOVERY_CODE"]
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """The code was wrong or taken before; or none is looked at for `wait_s` seconds. `lock_s` began just now."""

    wait_s: float = 0.0
    lock_s: float = 0.0
    failed: int = 0


def judge_code(conn: Connection, seal: Seal, user_id: int, code: str, *, at: datetime) -> CodeTaken | CodeRefused:
    """Whether it is a code of the app or a recovery code of this account; taken once, by whoever is first.

    Wrong ones are counted by themselves: the right password, which came before, does not forget them. The transaction
    of `conn` has to be committed: what is refused was counted in it.
    """
    factor = load_second_factor(conn, user_id, lock=True)
    if factor is None or factor.confirmed_at is None:
        return CodeRefused()
    if factor.locked_until is not None and factor.locked_until > at:
        return CodeRefused((factor.locked_until - at).total_seconds())
    text = find_recovery_text(code)
    if text is not None:
        # Without the key, which may be what was lost.
        if use_recovery_code(conn, user_id, hash_secret(text), at=at):
            record_factor_attempts(conn, user_id, 0, None)
            return CodeTaken("RECOVERY_CODE", factor.recovery_codes_left - 1)
    else:
        step = find_step(seal.open(user_id, factor.sealed_secret), code, at)
        if step is not None and use_step(conn, user_id, step):
            return CodeTaken("SECOND_FACTOR", factor.recovery_codes_left)
    failed = factor.failed_count + 1
    lock_s = find_lock_seconds(failed)
    record_factor_attempts(conn, user_id, failed, at + timedelta(seconds=lock_s) if lock_s else None)
    return CodeRefused(0.0, lock_s, failed)


def begin_set_up(conn: Connection, seal: Seal, user_id: int, *, session_id: int, at: datetime) -> str | None:
    """A new secret, which this session has ten minutes to confirm; None where a factor is confirmed already."""
    secret = make_secret()
    begun = begin_second_factor(conn, user_id, seal.close(user_id, secret), session_id=session_id, at=at)
    return secret if begun else None


def find_begun_secret(conn: Connection, seal: Seal, user_id: int, *, session_id: int, at: datetime) -> str | None:
    """The secret that this session has begun to set up and still may confirm; None for any other session."""
    factor = load_second_factor(conn, user_id, lock=True)
    if (
        factor is None
        or factor.confirmed_at is not None
        or factor.begun_session_id != session_id
        or factor.begun_at + SET_UP_WITHIN <= at
    ):
        return None
    return seal.open(user_id, factor.sealed_secret)


def confirm_set_up(conn: Connection, user_id: int, secret: str, code: str, *, at: datetime) -> list[str] | None:
    """The recovery codes, which are shown this once, if it is a code of that secret; else None, and nothing changed."""
    step = find_step(secret, code, at)
    if step is None:
        return None
    codes = make_recovery_codes()
    return codes if confirm_second_factor(conn, user_id, step=step, code_hashes=_hash(codes), at=at) else None


def renew_recovery_codes(conn: Connection, user_id: int) -> list[str] | None:
    """New recovery codes, which are shown this once, in place of all earlier ones; None without a confirmed factor."""
    factor = load_second_factor(conn, user_id, lock=True)
    if factor is None or factor.confirmed_at is None:
        return None
    codes = make_recovery_codes()
    record_recovery_codes(conn, user_id, _hash(codes))
    return codes


def _hash(codes: list[str]) -> list[bytes]:
    return [hash_secret(code.replace("-", "")) for code in codes]
