"""The OpenID Connect provider over HTTP: what it says of itself, its keys, and tokens for a code."""

import logging
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from api.oidc.id_token import Expected, SigningKey, TokenRefusedError, UnknownKeyError, read_id_token, read_keys
from api.settings import LOOPBACK, OidcSettings
from domain.errors import ConfigurationError

log = logging.getLogger("forewarn.api")
TIMEOUT_S = 10.0
KEPT_S = 3600.0  # what the provider says of itself, and its keys: one that it withdrew is not believed for longer
MAX_BYTES = 1024 * 1024


class ProviderAwayError(Exception):
    """The provider cannot be reached, or does not answer as one; the first argument says where."""


class ProviderRefusedError(Exception):
    """The provider, or what it sent, does not let this person in; the first argument says why, for the log."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None


class Provider:
    """One provider as this process knows it; used by many threads."""

    def __init__(
        self, settings: OidcSettings, return_address: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.return_address = return_address
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: tuple[Metadata, float] | None = None
        self._keys: tuple[list[SigningKey], float] | None = None

    def make_address(self, *, state: str, nonce: str, challenge: str, ask_again: bool) -> str:
        """Where the browser is sent.

        Raises
        ------
        ProviderAwayError
        """
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self.return_address,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if ask_again:
            query |= {"prompt": "login", "max_age": "0"}
        endpoint = self._find_metadata().authorization_endpoint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def redeem(
        self, code: str, verifier: str, nonce: str, at: datetime, *, asked_again_at: datetime | None = None
    ) -> Mapping[str, Any]:
        """Who came back with that code: the claims of an ID token that holds, with those of userinfo beside them.

        Raises
        ------
        ProviderAwayError
        ProviderRefusedError
            The code is not this sign-in's or was used, or the token breaks a rule.
        """
        metadata = self._find_metadata()
        tokens = self._fetch_tokens(metadata, code, verifier)
        text = tokens.get("id_token")
        if not isinstance(text, str):
            raise ProviderRefusedError("no ID token")
        expected = Expected(self._settings.issuer, self._settings.client_id, nonce, asked_again_at)
        try:
            try:
                claims = read_id_token(text, self._find_keys(metadata), expected, at)
            except UnknownKeyError:
                # Signed by a key that is newer than our copy of the set.
                claims = read_id_token(text, self._find_keys(metadata, anew=True), expected, at)
        except TokenRefusedError as wrong:
            raise ProviderRefusedError(f"ID token: {wrong}") from wrong
        access_token = tokens.get("access_token")
        wants = self._settings.groups_claim if self._settings.roles else self._settings.name_claim
        if wants not in claims and metadata.userinfo_endpoint and isinstance(access_token, str):
            more = self._fetch_userinfo(metadata.userinfo_endpoint, access_token)
            if more.get("sub") != claims["sub"]:
                raise ProviderRefusedError("userinfo of somebody else")
            claims = {**more, **claims}
        return claims

    def _find_metadata(self) -> Metadata:
        with self._lock:
            if self._metadata is not None and self._clock() - self._metadata[1] < KEPT_S:
                return self._metadata[0]
        issuer = self._settings.issuer
        document = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise ProviderAwayError(f"discovery: it calls itself {str(document.get('issuer'))[:200]!r}, not {issuer!r}")
        userinfo = document.get("userinfo_endpoint")
        metadata = Metadata(
            _read_endpoint(document, "authorization_endpoint"),
            _read_endpoint(document, "token_endpoint"),
            _read_endpoint(document, "jwks_uri"),
            None if userinfo is None else _read_endpoint(document, "userinfo_endpoint"),
        )
        with self._lock:
            self._metadata = (metadata, self._clock())
        return metadata

    def _find_keys(self, metadata: Metadata, *, anew: bool = False) -> list[SigningKey]:
        with self._lock:
            if not anew and self._keys is not None and self._clock() - self._keys[1] < KEPT_S:
                return self._keys[0]
        try:
            keys = read_keys(self._fetch(metadata.jwks_uri))
        except ValueError as wrong:
            raise ProviderAwayError(f"keys: {wrong}") from wrong
        with self._lock:
            self._keys = (keys, self._clock())
        return keys

    def _fetch_tokens(self, metadata: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.return_address,
            "code_verifier": verifier,
        }
        secret, headers = self._read_secret(), {"Accept": "application/json"}
        if secret is None:
            form["client_id"] = self._settings.client_id
        else:
            # RFC 6749, 2.3.1: both are form-encoded before they become a basic credential.
            pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        with self._calling("token") as client:
            response = client.post(metadata.token_endpoint, data=form, headers=headers)
            if 400 <= response.status_code < 500:
                raise ProviderRefusedError(
                    f"the token endpoint answered {response.status_code} {_name_error(response)}"
                )
            return _read_json(response, "token")

    def _fetch_userinfo(self, address: str, access_token: str) -> Mapping[str, Any]:
        return self._fetch(address, {"Authorization": f"Bearer {access_token}"})

    def _fetch(self, address: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        place = urlsplit(address).path
        with self._calling(place) as client:
            return _read_json(client.get(address, headers={"Accept": "application/json", **(headers or {})}), place)

    @contextmanager
    def _calling(self, place: str) -> Iterator[httpx2.Client]:
        context = ssl.create_default_context()
        if self._settings.ca_file is not None:
            context.load_verify_locations(self._settings.ca_file)
        try:
            # Redirects are not followed: what is sent along is for the address that the provider named.
            with httpx2.Client(timeout=TIMEOUT_S, verify=context, follow_redirects=False) as client:
                yield client
        except httpx2.HTTPError as problem:
            raise ProviderAwayError(f"{place}: {type(problem).__name__}") from problem

    def _read_secret(self) -> str | None:
        file = self._settings.client_secret_file
        if file is None:
            return None
        try:
            return file.read_text("utf-8").strip()
        except OSError as problem:
            raise ConfigurationError(f"FOREWARN_API_OIDC_CLIENT_SECRET_FILE: {file} cannot be read") from problem


def _read_endpoint(document: Mapping[str, Any], name: str) -> str:
    address = document.get(name)
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or not parts.hostname:
        raise ProviderAwayError(f"discovery: no {name}")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ProviderAwayError(f"discovery: {name} is no https address")
    return str(address)


def _read_json(response: httpx2.Response, place: str) -> Mapping[str, Any]:
    if response.status_code != 200:
        raise ProviderAwayError(f"{place}: answered {response.status_code}")
    if len(response.content) > MAX_BYTES:
        raise ProviderAwayError(f"{place}: too long an answer")
    try:
        document = response.json()
    except ValueError as problem:
        raise ProviderAwayError(f"{place}: no JSON") from problem
    if not isinstance(document, dict):
        raise ProviderAwayError(f"{place}: no JSON object")
    return document


def _name_error(response: httpx2.Response) -> str:
    try:
        name = response.json().get("error")
    except (ValueError, AttributeError):
        return ""
    return name[:60] if isinstance(name, str) and name.isascii() else ""
