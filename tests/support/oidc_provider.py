"""A small OpenID Connect provider over real HTTP, made from the standards and not from our client.

It keeps to OpenID Connect Core (code flow), RFC 7636 (S256) and RFC 9207, and can be told to break one rule at a time.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "forewarn"
SECRET = "a secret: with / and %"
Claims = dict[str, Any]


def make_key(key_id: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig", "alg": "RS256"})


# Made once: a key takes a while.
FIRST_KEY, SECOND_KEY = make_key("one"), make_key("two")


@dataclass
class Provider:
    """What it knows, and which rule it breaks."""

    url: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "s-1", "preferred_username": "anna", "name": "Anna Weber"})
    key: RSAKey = field(default_factory=lambda: FIRST_KEY)
    published: list[RSAKey] = field(default_factory=lambda: [FIRST_KEY])
    forge: Callable[[Claims], Claims] = dict  # what becomes of the claims before they are signed
    sign: Callable[[Claims, RSAKey], str] | None = None
    discovery: Claims = field(default_factory=dict)
    in_userinfo: Claims = field(default_factory=dict)
    auth_age_s: float = 0.0
    codes: dict[str, Claims] = field(default_factory=dict)
    asked: list[Claims] = field(default_factory=list)
    fetched_keys: int = 0

    def find_metadata(self) -> Claims:
        paths = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "jwks_uri": "/keys",
            "userinfo_endpoint": "/userinfo",
        }
        return {"issuer": self.url, **{name: self.url + path for name, path in paths.items()}, **self.discovery}

    def authorize(self, query: Claims) -> str:
        self.asked.append(query)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**query, "person": dict(self.person)}
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.url})}"

    def redeem(self, form: Claims, authorization: str) -> tuple[int, Claims]:
        kind, _, given = authorization.partition(" ")
        name, _, secret = base64.b64decode(given).decode().partition(":") if kind == "Basic" else ("", "", "")
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        grant = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if grant is None or grant["redirect_uri"] != form["redirect_uri"] or grant["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        at = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "exp": at + 300,
            "iat": at,
            "nonce": grant["nonce"],
            **grant["person"],
        }
        if "max_age" in grant:
            claims["auth_time"] = at - int(self.auth_age_s)
        claims = self.forge(claims)
        if self.sign is not None:
            text = self.sign(claims, self.key)
        else:
            text = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        return 200, {"id_token": text, "access_token": grant["person"]["sub"], "token_type": "Bearer"}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self._answer(200, self.provider.find_metadata())
        elif parts.path == "/keys":
            self.provider.fetched_keys += 1
            self._answer(200, {"keys": [key.as_dict(private=False) for key in self.provider.published]})
        elif parts.path == "/userinfo":
            bearer = self.headers.get("Authorization", "").partition(" ")[2]
            self._answer(200, {"sub": bearer, **self.provider.in_userinfo})
        elif parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._answer(*self.provider.redeem(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, document: Claims) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Nothing: a test says what it wants to know."""


@contextmanager
def running_provider() -> Iterator[Provider]:
    """The provider on 127.0.0.1 as long as the block runs."""
    provider = Provider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        provider.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="provider under test"
        )
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
