"""Codes of an app: time-based one-time passwords of six digits (RFC 6238), and the picture that an app reads."""

import secrets
from base64 import b32encode
from datetime import datetime

import pyotp
from markupsafe import Markup
from pyotp.exceptions import OTPVerificationError

ISSUER = "Forewarn"
DIGITS = 6
INTERVAL_S = 30
WINDOW = 1  # steps before and after, for clocks that are a little off
RECOVERY_CODES = 10


def make_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32(32)


def make_address(secret: str, *, name: str, issuer: str) -> str:
    """The `otpauth://` address that an app takes."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=INTERVAL_S).provisioning_uri(name=name, issuer_name=issuer)


def draw_qr(address: str) -> Markup:
    """The address as a QR code: an SVG of plain shapes, without any style."""
    import segno  # at the first code that is drawn: few people ever set one up

    qr = segno.make(address, error="m", micro=False)
    return Markup(qr.svg_inline(border=4, omitsize=True, svgclass="qr", lineclass=None, light="#fff"))  # noqa: S704


def find_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step whose code this is, of the one at `at` and its neighbours; None for a wrong code.

    A caller takes each step once, and none before the last one taken.
    """
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=INTERVAL_S)
    try:
        return totp.verify_and_get_timecode(digits, for_time=at, valid_window=WINDOW)
    except OTPVerificationError:
        return None


def make_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits each, as `abcd-efgh-ijkl-mnop`."""
    texts = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[start : start + 4] for start in range(0, 16, 4)) for text in texts]


def find_recovery_text(code: str) -> str | None:
    """What is hashed of a recovery code however it was typed; None where it can be none."""
    text = "".join(code.lower().replace("-", " ").split())
    return text if len(text) == 16 and text.isascii() and text.isalnum() else None
