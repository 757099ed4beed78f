"""The API on a real database: accounts of every role, and a check that no answer is undeclared."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from api.app import create_app
from api.passwords import hash_secret, make_api_token
from api.settings import ApiSettings
from api.sign_in import COOKIE, SignedIn, sign_in
from api.state import ApiState, now
from domain.roles import Role
from store.customers import load_customer_id
from store.pool import open_connection
from store.tokens import record_token
from store.users import record_user
from tests.support.marked_fields import find_landing
from tests.support.waiting import wait_until

PASSWORD = "correct horse battery"
# Argon2id with the least of work; as the product hashes, each look at a password would take a fifth of a second.
# With which parameters it does is tested in tests/unit/api.
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PROBLEM_PAGE = '<div class="card stack" data-problem>'
# Made once in a process: it takes a second or two.
_OPERATIONS: dict[str, dict[str, Any]] = {}
_PATTERNS: dict[str, re.Pattern[str]] = {}  # of the same paths


@cache
def find_hash() -> str:
    """A quick argon2id hash of PASSWORD."""
    return QUICK_HASHER.hash(PASSWORD)


def find_operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    """What the OpenAPI document declares, by path and method; it is the same for every app, whatever its settings."""
    if not _OPERATIONS:
        _OPERATIONS.update(app.openapi()["paths"])
        _PATTERNS.update((path, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))) for path in _OPERATIONS)
    return _OPERATIONS


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser's cookie and CSRF token."""

    cookie: str
    csrf_token: str

    @property
    def reading(self) -> dict[str, str]:
        """Headers of a page that only reads."""
        return {"Cookie": f"{COOKIE}={self.cookie}"}

    @property
    def writing(self) -> dict[str, str]:
        """Headers of this site's own form."""
        return {**self.reading, "X-CSRF-Token": self.csrf_token}


@dataclass
class Api:
    """A running API. Every answer below /api/ is checked against the OpenAPI document."""

    app: FastAPI
    client: httpx.Client
    settings: ApiSettings
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def state(self) -> ApiState:
        """What its handlers share."""
        state: ApiState = self.app.state.forewarn
        return state

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer, whose status the document declares for this operation."""
        address = path if path.startswith("/api/") or "://" in path else f"/api/v1{path}"
        response = self.client.request(method, address, follow_redirects=False, **arguments)
        self._check_declared(method, address.partition("?")[0], response)
        return response

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **arguments)

    def token(self, role: Role, *, customer: str | None = None) -> dict[str, str]:
        """Headers with a token of that role."""
        secret = make_api_token()
        with open_connection(self.settings.database_url, application="test") as conn:
            customer_id = None if customer is None else load_customer_id(conn, customer)
            made = record_token(
                conn,
                name=f"{role}-{secret[3:11]}".lower(),
                token_hash=hash_secret(secret),
                role=role,
                customer_id=customer_id,
            )
        assert made is not None
        return {"Authorization": f"Bearer {secret}"}

    def add_user(self, name: str, *roles: Role, customer: str | None = None, must_change_password: bool = False) -> int:
        """An account with PASSWORD."""
        with open_connection(self.settings.database_url, application="test") as conn:
            user_id = record_user(
                conn,
                name=name,
                full_name=name.title(),
                password_hash=find_hash(),
                roles=[str(role) for role in roles],
                must_change_password=must_change_password,
                customer_id=None if customer is None else load_customer_id(conn, customer),
            )
        assert user_id is not None
        return user_id

    def sign_in(self, name: str, password: str = PASSWORD) -> Session:
        """A session of that account."""
        outcome = sign_in(
            self.state.pool,
            self.settings,
            self.state.attempts,
            name=name,
            password=password,
            address="127.0.0.1",
            at=now(),
            request_id="test",
        )
        assert isinstance(outcome, SignedIn), outcome
        return Session(outcome.token, outcome.csrf_token)

    def _check_declared(self, method: str, path: str, response: httpx.Response) -> None:
        if not path.startswith("/api/v1/") or path.endswith("/openapi.json"):
            return
        for template, operations in find_operations(self.app).items():
            if method.lower() in operations and _PATTERNS[template].fullmatch(path):
                declared = operations[method.lower()]["responses"]
                assert str(response.status_code) in declared, f"{method} {template} answered {response.status_code}"
                kind = response.headers.get("content-type", "").partition(";")[0]
                allowed = declared[str(response.status_code)].get("content", {})
                assert not response.content or kind in allowed, f"{method} {template} answered {kind}, not {allowed}"
                self.seen.add((method, template, response.status_code))
                if "{" not in template:
                    return


@contextmanager
def running_api(database_url: str, *, patience_s: int = 5, **settings: Any) -> Iterator[Api]:
    """The API on that database behind a real HTTP server on 127.0.0.1, as long as the block runs; what is open then and
    does not end within `patience_s` is cut. Passwords are hashed with little work."""
    wanted = ApiSettings(database_url=database_url, **{"stream_heartbeat_s": 0.2, "pool_size": 6, **settings})
    app = create_app(wanted)
    with (
        pytest.MonkeyPatch.context() as patch,
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener,
    ):
        patch.setattr("api.passwords._HASHER", QUICK_HASHER)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                proxy_headers=False,
                access_log=False,
                log_config=None,
                ws="none",
                timeout_graceful_shutdown=patience_s,
            )
        )
        thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])), name="api under test")
        thread.start()
        try:
            wait_until(lambda: server.started, what="the API")
            # Without TLS: reading the certificates of all authorities takes longer than most requests.
            hooks = {"response": [check_landing]}
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False, event_hooks=hooks
            ) as client:
                yield Api(app, client, wanted)
        finally:
            app.state.hub.close_soon()
            server.should_exit = True
            thread.join()


def check_landing(response: httpx.Response) -> None:
    """That whoever sent a form that is refused, in whatever test, lands where the page says what was wrong."""
    is_page = response.headers.get("content-type", "").startswith("text/html")
    if response.request.method == "POST" and response.status_code in (409, 412, 422, 429) and is_page:
        response.read()
        # A page that is about the problem alone begins with it.
        assert find_landing(response.text) or PROBLEM_PAGE in response.text, "the reader lands nowhere"


def find_errors(response: httpx.Response) -> Mapping[str, str]:
    """The fields that a problem names, each with what is wrong."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return {error["field"]: error["detail"] for error in response.json().get("errors", [])}
