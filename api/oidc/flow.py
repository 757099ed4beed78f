"""To the provider and back: bound to one browser, good once, for minutes.

The browser keeps one random secret in a cookie; nonce and code verifier are derived from it and the state, so that the
database has neither, and a code that was stolen on its way is of no use in any other browser.
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from api.oidc.provider import Provider, ProviderRefusedError
from api.passwords import hash_secret
from api.problems import NO_SUCH_PATH, ProblemError
from api.state import ApiState, now
from store.provider_identities import ProviderFlow, record_flow, take_flow

Purpose = Literal["SIGN_IN", "LINK", "PASSWORD"]
COOKIE = "forewarn_provider"
WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser is sent, and what it keeps in the cookie meanwhile."""

    address: str
    browser_secret: str


@dataclass(frozen=True, slots=True)
class Return:
    """What the browser brings back."""

    state: str
    browser_secret: str
    code: str
    error: str
    issuer: str  # RFC 9207; empty where the provider does not say


def find_provider(state: ApiState) -> Provider:
    """The provider of this installation.

    Raises
    ------
    ProblemError
        404: there is none.
    """
    if state.provider is None:
        raise ProblemError(NO_SUCH_PATH)
    return state.provider


def depart(state: ApiState, purpose: Purpose, *, session_id: int | None = None, target: str = "") -> Departure:
    """Begins a way to the provider. For a new password, or to tie an account, the provider has to ask anew.

    Raises
    ------
    ProviderAwayError, ProviderRefusedError
    """
    provider, at = find_provider(state), now()
    token, browser_secret = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    address = provider.make_address(
        state=token,
        nonce=_derive("nonce", browser_secret, token),
        challenge=_encode(hashlib.sha256(_derive("verifier", browser_secret, token).encode()).digest()),
        ask_again=purpose != "SIGN_IN",
    )
    with state.pool.connection() as conn:
        record_flow(
            conn,
            state_hash=hash_secret(token),
            browser_hash=hash_secret(browser_secret),
            purpose=purpose,
            session_id=session_id,
            target=target[:2000],
            at=at,
            expires_at=at + WITHIN,
        )
    return Departure(address, browser_secret)


def arrive(state: ApiState, brought: Return) -> tuple[ProviderFlow, Mapping[str, Any]]:
    """What was begun in this browser, and the claims of who came back; it is over with this, whatever comes of it.

    Raises
    ------
    ProviderAwayError, ProviderRefusedError
    """
    provider, at = find_provider(state), now()
    with state.pool.connection() as conn:
        flow = take_flow(
            conn, state_hash=hash_secret(brought.state), browser_hash=hash_secret(brought.browser_secret), at=at
        )
    if flow is None:
        raise ProviderRefusedError("state: not begun in this browser, too long ago, or come back from before")
    if brought.issuer and brought.issuer != state.settings.oidc.issuer:
        raise ProviderRefusedError("the answer is another provider's")
    if brought.error or not brought.code:
        error = "".join(c for c in brought.error[:60] if c.isascii() and c.isprintable())
        raise ProviderRefusedError(f"the provider says {error!r}")
    claims = provider.redeem(
        brought.code,
        _derive("verifier", brought.browser_secret, brought.state),
        _derive("nonce", brought.browser_secret, brought.state),
        at,
        asked_again_at=flow.begun_at if flow.purpose != "SIGN_IN" else None,
    )
    return flow, claims


def _derive(use: str, browser_secret: str, token: str) -> str:
    return _encode(hashlib.sha256(f"{use}:{browser_secret}:{token}".encode()).digest())


def _encode(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
