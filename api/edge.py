"""What holds for every request before and after its handler: its id, its size, its headers, its line in the log."""

import logging
import re
import secrets
import time
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import INTERNAL, TOO_LARGE, ProblemError
from api.settings import ApiSettings
from domain.counting import say_count

log = logging.getLogger("forewarn.api.request")
Render = Callable[[Request, ProblemError], Response]
request_id_of_context: ContextVar[str] = ContextVar("request_id", default="")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": CONTENT_SECURITY_POLICY,
}
# A file comes as a body of its own, which is streamed to the disk; a form would be read whole before anybody is asked.
_FILE_PATH = re.compile(r"/api/v1/work-orders/[^/]+/attachments")
_TOKEN_IN_PATH = re.compile(r"fw_[A-Za-z0-9_-]{20,}")


class RequestIdFilter(logging.Filter):
    """Puts the request's id on every log record, whoever writes it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id_of_context.get()
        return True


class Edge:
    """Pure ASGI, so that streams pass through unbuffered."""

    def __init__(self, app: ASGIApp, *, settings: ApiSettings, metrics: Metrics, render: Render) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        # The handler's context is a copy of this one, so the id also stands in what its thread logs.
        token = request_id_of_context.set(request_id)
        exchange = _Exchange(scope, receive, send, request_id, self._settings, self._render)
        started = time.perf_counter()
        try:
            await exchange.run(self._app)
        finally:
            seconds = time.perf_counter() - started
            route = find_template(scope)
            self._metrics.record_request(scope["method"], route, exchange.status, seconds)
            log.info(
                "%s %s %d %.1f ms %s",
                scope["method"],
                _TOKEN_IN_PATH.sub("fw_…", scope["path"]),
                exchange.status,
                seconds * 1000,
                state.get("caller", "-"),
                extra={"route": route, "status": exchange.status},
            )
            request_id_of_context.reset(token)


def find_template(scope: Scope) -> str:
    """The route's template, so that no id becomes a label; `(none)` without one."""
    template: str | None = getattr(scope.get("route"), "path_format", None)
    return template or "(none)"


def find_limit(scope: Scope, settings: ApiSettings) -> int:
    """How many bytes the body of this request may have."""
    content_type = dict(scope["headers"]).get(b"content-type", b"").lower()
    is_form = content_type.startswith((b"multipart/", b"application/x-www-form-urlencoded"))
    is_file = scope["method"] == "POST" and _FILE_PATH.fullmatch(scope["path"]) is not None
    return settings.max_attachment_bytes if is_file and not is_form else settings.max_body_bytes


class _Exchange:
    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, settings: ApiSettings, render: Render
    ) -> None:
        self.status = 500
        self._scope = scope
        self._receive = receive
        self._send = send
        self._request_id = request_id
        self._settings = settings
        self._render = render
        self._limit = find_limit(scope, settings)
        self._read = 0
        self._started = False

    async def run(self, app: ASGIApp) -> None:
        declared = dict(self._scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._limit:
            await self._answer(ProblemError(TOO_LARGE, self._find_limit(), headers={"Connection": "close"}))
            return
        try:
            await app(self._scope, self._receive_counted, self._send_marked)
        except Exception:
            # The last edge: whatever a handler did not foresee is logged here, once, and told without its cause.
            log.exception("%s %s failed", self._scope["method"], self._scope["path"])
            if self._started:
                raise
            await self._answer(ProblemError(INTERNAL))

    def _find_limit(self) -> str:
        return f"At most {say_count(self._limit, 'byte')}."

    async def _answer(self, problem: ProblemError) -> None:
        response = await run_in_threadpool(self._render, Request(self._scope), problem)
        await response(self._scope, self._receive, self._send_marked)

    async def _receive_counted(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._limit:
                # An HTTPException, because FastAPI takes any other error while a body is read for a malformed body.
                raise HTTPException(413, self._find_limit(), {"Connection": "close"})
        return message

    async def _send_marked(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if not self._scope["path"].startswith("/static/"):
                headers.setdefault("cache-control", "no-store")
            if self._settings.is_https:
                headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        await self._send(message)
