"""Judging an ID token: signed by a key of the provider, meant for us, for this sign-in, and not over.

Nothing is taken from a token before all of it was judged. The rules are those of OpenID Connect Core 1.0, 3.1.3.7.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import extract_compact

SigningKey = RSAKey | ECKey | OKPKey
# Signatures by a key that only the provider has. Neither `none` nor HMAC: with those a public key would be a secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY = timedelta(seconds=60)  # for clocks that are a little off
LONGEST = timedelta(days=1)  # a token that says it was made earlier is none of this sign-in


class TokenRefusedError(Exception):
    """The token is not to be believed; the first argument says which rule it breaks."""


class UnknownKeyError(TokenRefusedError):
    """It is signed by a key that the provider's set, as it was fetched, does not have."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What this sign-in asked for."""

    issuer: str
    client_id: str
    nonce: str
    asked_again_at: datetime | None = None  # not None: the person had to show anew who he is, after that


def read_id_token(text: str, keys: Sequence[SigningKey], expected: Expected, at: datetime) -> Mapping[str, Any]:
    """The claims of a token that holds.

    Raises
    ------
    TokenRefusedError
        It breaks a rule. `UnknownKeyError` where a newer set of keys may help.
    """
    claims = _verify_signature(text, keys)
    if claims.get("iss") != expected.issuer:
        raise TokenRefusedError("issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenRefusedError("audience")
    party = claims.get("azp")
    if party != expected.client_id and (party is not None or len(audiences) > 1):
        raise TokenRefusedError("authorized_party")
    if _read_instant(claims, "exp") + LEEWAY.total_seconds() <= at.timestamp():
        raise TokenRefusedError("expired")
    issued = _read_instant(claims, "iat")
    if not (at - LONGEST).timestamp() <= issued <= (at + LEEWAY).timestamp():
        raise TokenRefusedError("issued_at")
    if "nbf" in claims and _read_instant(claims, "nbf") > (at + LEEWAY).timestamp():
        raise TokenRefusedError("not_before")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefusedError("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise TokenRefusedError("subject")
    if expected.asked_again_at is not None:
        asked = _read_instant(claims, "auth_time")
        if asked < (expected.asked_again_at - LEEWAY).timestamp():
            raise TokenRefusedError("auth_time")
    return claims


def read_keys(document: Mapping[str, Any]) -> list[SigningKey]:
    """The public keys of a JWK set that may sign; secrets, keys for encryption and kinds we do not know are left out.

    Raises
    ------
    ValueError
        It is no JWK set.
    """
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("no JWK set")
    keys: list[SigningKey] = []
    kinds: dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    for entry in entries:
        kind = kinds.get(str(entry.get("kty"))) if isinstance(entry, dict) else None
        if kind is None or entry.get("use", "sig") != "sig":
            continue
        try:
            keys.append(kind.import_key({name: value for name, value in entry.items() if name != "d"}))
        except (JoseError, ValueError, TypeError):
            continue
    return keys


def _verify_signature(text: str, keys: Sequence[SigningKey]) -> Mapping[str, Any]:
    header = _read_header(text)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenRefusedError("algorithm")
    fitting = [key for key in keys if (key_id is None or key.kid == key_id) and key.get("alg", algorithm) == algorithm]
    if not fitting:
        raise UnknownKeyError("key")
    if len(fitting) > 1:
        raise TokenRefusedError("key_id")  # which of several it is, the token has to say
    try:
        return jwt.decode(text, fitting[0], algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError) as wrong:
        raise TokenRefusedError("signature") from wrong


def _read_header(text: str) -> Mapping[str, Any]:
    try:
        header = extract_compact(text.encode()).headers()
    except (JoseError, ValueError, TypeError) as wrong:
        raise TokenRefusedError("form") from wrong
    return dict(header)


def _read_instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusedError(name)
    return float(value)
