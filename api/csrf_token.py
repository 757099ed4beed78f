"""A session's CSRF token as a page shows it: different each time, so that a compressed page's length does not tell.

Whoever may choose a part of a page and see how long it is on the wire could otherwise guess the token letter by letter
(the attack is called BREACH).
"""

import binascii
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

_MARK = "m."  # no token has a full stop


def mask_csrf_token(token: str) -> str:
    """The token under a pad of its own, which stands in front of it; "" for none."""
    if not token:
        return ""
    plain = token.encode()
    pad = secrets.token_bytes(len(plain))
    return _MARK + urlsafe_b64encode(pad + _join(pad, plain)).decode()


def is_csrf_token(given: str, token: str) -> bool:
    """Whether what came with a request is the session's token, masked or as the API says it."""
    return hmac.compare_digest(_unmask(given), token.encode())


def _unmask(given: str) -> bytes:
    if not given.startswith(_MARK):
        return given.encode(errors="replace")
    try:
        both = urlsafe_b64decode(given.removeprefix(_MARK))
    except (binascii.Error, ValueError):
        return b""
    half = len(both) // 2
    return _join(both[:half], both[half:]) if len(both) == 2 * half else b""


def _join(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=True))
