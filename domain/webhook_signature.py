"""Signatures after Standard Webhooks 1.0: HMAC-SHA256 over id, time and body, as a header that names its scheme."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32  # the standard wants 24 to 64


def make_secret(random: bytes) -> str:
    """The secret as receivers take it, of 24 to 64 random bytes."""
    if not 24 <= len(random) <= 64:
        raise ValueError(f"a secret has 24 to 64 bytes, not {len(random)}")
    return PREFIX + base64.b64encode(random).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature `v1,...` of a message that is sent at `timestamp`, in seconds since 1970.

    Raises
    ------
    ValueError
        The secret is none, or the id holds a full stop, which would let parts of a message change places.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret begins with {PREFIX}")
    if "." in message_id:
        raise ValueError("an id holds no full stop")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as problem:
        raise ValueError("a secret is base64") from problem
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def make_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message, signed by each of the secrets: two while one takes the place of another."""
    signatures = " ".join(sign(secret, message_id, timestamp, body) for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}
