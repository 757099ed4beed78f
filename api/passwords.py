"""Passwords (argon2id) and the secrets of sessions and tokens: made here, kept only as hashes."""

import hashlib
import secrets
from base64 import b64encode
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

MIN_LENGTH = 12
MAX_LENGTH = 200  # more is work for us and no safety for anybody
TOKEN_PREFIX = "fw_"  # noqa: S105 - what lets a scanner of repositories recognise one

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
# 64 MiB each: a burst of sign-ins must wait, not fill the memory.
_AT_ONCE = BoundedSemaphore(4)


def hash_password(password: str) -> str:
    """The argon2id hash, with salt and parameters in it."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches_password(password_hash: str | None, password: str) -> bool:
    """Whether it is the password; None (no such account) takes the same time and is never it."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(password_hash or _make_nobodys_hash(), password[:MAX_LENGTH]) and bool(password_hash)
        except (VerificationError, InvalidHashError):
            return False


def _make_nobodys_hash() -> str:
    """What an unknown name is compared with, so that it takes as long as a known one: nobody knows its password."""
    salt, digest = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def needs_rehash(password_hash: str) -> bool:
    """The hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)


def find_password_weakness(password: str, *, name: str) -> str | None:
    """Why this is no password to choose, or None; length before composition, as NIST SP 800-63B advises."""
    if len(password) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(password) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    if len(set(password)) < 5:
        return "must not repeat so few characters"
    if name and name.lower() in password.lower():
        return "must not contain the account's name"
    return None


def make_password() -> str:
    """A password of 96 random bits for somebody who will have to change it."""
    return secrets.token_urlsafe(12)


def make_session_token() -> str:
    """256 random bits, for a cookie."""
    return secrets.token_urlsafe(32)


def make_api_token() -> str:
    """`fw_` and 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256: enough for secrets of 256 random bits, and quick enough for every request."""
    return hashlib.sha256(secret.encode()).digest()
