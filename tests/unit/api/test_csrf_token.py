"""A masked CSRF token is never twice the same, and is the session's own; nothing else is."""

import pytest

from api.csrf_token import is_csrf_token, mask_csrf_token

TOKEN = "uV3_x-9aQ"


def test_each_page_masks_the_token_differently_and_each_is_taken() -> None:
    masked = {mask_csrf_token(TOKEN) for _ in range(20)}
    assert len(masked) == 20
    assert all(is_csrf_token(one, TOKEN) for one in masked)
    assert not any(TOKEN in one for one in masked)


def test_the_token_itself_is_taken() -> None:
    assert is_csrf_token(TOKEN, TOKEN)


@pytest.mark.parametrize("given", ["", "m.", "m.x", "m.AAAA", "m.\udc80", "\udc80", "uV3_x-9aR", "m." + TOKEN])
def test_nothing_else_is_taken(given: str) -> None:
    assert not is_csrf_token(given, TOKEN)


def test_a_token_of_another_session_is_refused_masked_too() -> None:
    assert not is_csrf_token(mask_csrf_token("another_1"), TOKEN)


def test_nobody_has_no_token_to_mask() -> None:
    assert mask_csrf_token("") == ""
