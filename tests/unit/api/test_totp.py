"""Codes of an app by the vectors of RFC 6238, and recovery codes as people type them."""

from base64 import b32encode
from datetime import UTC, datetime, timedelta

import pytest

from api.totp import draw_qr, find_recovery_text, find_step, make_address, make_recovery_codes, make_secret

# RFC 6238, appendix B: SHA-1, the last six of its eight digits.
SECRET = b32encode(b"12345678901234567890").decode()
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert find_step(SECRET, code, datetime.fromtimestamp(seconds, UTC)) == seconds // 30


def test_a_code_holds_one_step_early_or_late_and_names_its_own_step() -> None:
    at = datetime.fromtimestamp(1111111111, UTC)
    steps = [find_step(SECRET, "050471", at + timedelta(seconds=30 * off)) for off in (-2, -1, 0, 1, 2)]
    assert steps == [None, 37037037, 37037037, 37037037, None]


@pytest.mark.parametrize("code", ["", "05047", "0504711", "٠٥٠٤٧١", "05047a", "-50471", "1e5000"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert find_step(SECRET, code, datetime.fromtimestamp(1111111111, UTC)) is None


def test_a_code_may_have_spaces() -> None:
    assert find_step(SECRET, " 050 471 ", datetime.fromtimestamp(1111111111, UTC)) is not None


def test_recovery_codes_are_read_however_they_are_typed_and_never_taken_for_digits() -> None:
    (code, *others) = make_recovery_codes()
    assert len({code, *others}) == 10
    text = code.replace("-", "")
    assert len(text) == 16
    assert {find_recovery_text(typed) for typed in (code, code.upper(), f" {text} ", code.replace("-", " "))} == {text}
    assert [find_recovery_text(typed) for typed in ("050471", "", text + "x", "é" * 16)] == [None] * 4


def test_a_secret_has_160_bits_and_its_picture_no_style() -> None:
    first, second = make_secret(), make_secret()
    assert first != second
    assert len(first) == 32
    address = make_address(first, name="anna & co", issuer="Forewarn")
    assert address.startswith("otpauth://totp/Forewarn:anna%20%26%20co?")
    picture = str(draw_qr(address))
    assert picture.startswith("<svg ")
    assert "style" not in picture
    assert first not in picture
