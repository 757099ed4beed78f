"""Signatures as the published implementations make and take them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from domain.webhook_signature import make_headers, make_secret, sign

# The vector that the standard's own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector() -> None:
    assert sign(SECRET, ID, AT, BODY) == SIGNATURE


@given(st.binary(min_size=24, max_size=64), st.uuids(), st.text())
def test_the_published_library_takes_what_we_sign_and_nothing_else(random: bytes, event: object, text: str) -> None:
    secret, body = make_secret(random), text.encode("utf-8", "replace")
    now = int(datetime.now(UTC).timestamp())
    headers = make_headers([secret], str(event), now, body)
    verify(secret, body, headers)
    for wrong in (body + b" ", b"x" + body):
        with pytest.raises(WebhookVerificationError):
            verify(secret, wrong, headers)
    for name, value in (("webhook-id", "other"), ("webhook-timestamp", str(now - 1))):
        with pytest.raises(WebhookVerificationError):
            verify(secret, body, headers | {name: value})


def test_two_secrets_sign_while_one_takes_the_place_of_another() -> None:
    old, new, other = (make_secret(bytes([n]) * 32) for n in (1, 2, 3))
    now = int(datetime.now(UTC).timestamp())
    headers = make_headers([new, old], "id", now, b"{}")
    assert len(headers["webhook-signature"].split(" ")) == 2
    verify(old, b"{}", headers)
    verify(new, b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        verify(other, b"{}", headers)


@pytest.mark.parametrize("secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64!", "whsk_AAAA"])
def test_nothing_is_signed_by_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        sign(secret, ID, AT, BODY)


def test_an_id_cannot_reach_into_the_time() -> None:
    with pytest.raises(ValueError, match="full stop"):
        sign(SECRET, "id.1614265330", AT, BODY)


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_has_as_many_bytes_as_the_standard_wants(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        make_secret(b"x" * size)


def verify(secret: str, body: bytes, headers: dict[str, str]) -> None:
    Webhook(secret).verify(body, headers, json_parse=False)
