"""Claim codes: 140 random bits in letters that people do not confuse, kept as a hash."""

import hashlib
import hmac
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
GROUPS, GROUP_LENGTH = 7, 4
_MISREAD = str.maketrans("ILO", "110")
_NO_CODE = hashlib.sha256(secrets.token_bytes(32)).digest()


def make_claim_code() -> str:
    """A new code, as it is printed: seven groups of four."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))


def hash_claim_code(code: str) -> bytes:
    """SHA-256 of the code as it was meant: case, dashes, spaces, and I, L, O for 1, 1, 0 make no difference."""
    meant = code.upper().replace("-", "").replace(" ", "").translate(_MISREAD)
    return hashlib.sha256(meant.encode()).digest()


def matches_claim_code(code_hash: bytes | None, code: str) -> bool:
    """Whether it is the code; None (there is none) takes the same time and is never it."""
    return hmac.compare_digest(code_hash or _NO_CODE, hash_claim_code(code)) and code_hash is not None
