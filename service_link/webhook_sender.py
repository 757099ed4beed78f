"""One attempt to deliver one event: a signed request, and what came of it as a value, whatever the receiver does."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from httpcore2 import (
    ConnectionPool,
    NetworkError,
    ProtocolError,
    Response,
    TimeoutException,
    UnsupportedProtocol,
    default_ssl_context,
)

from domain.webhook import DeliveryError
from domain.webhook_address import Network
from domain.webhook_proxy import Proxy
from domain.webhook_schedule import GONE, AttemptResult, read_retry_after
from domain.webhook_signature import make_headers
from service_link.webhook_network import AddressRefusedError, CheckedBackend, NameUnknownError, Resolve, resolve
from service_link.webhook_tunnel import ProxyRefusedError

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
KEPT_CHARACTERS = 1000  # of what was answered
READ_BYTES = 4 * KEPT_CHARACTERS


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent where; `secrets` sign it."""

    url: str
    id: str
    body: bytes
    secrets: Sequence[str]


def make_body(event: dict[str, Any], outbox_id: int) -> bytes:
    """The event as it goes out, the same bytes at every attempt; `sequence` orders all events of an installation."""
    numbered = event | {"sequence": f"{outbox_id:020d}"}
    return json.dumps(numbered, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


class WebhookSender:
    """Sends; one for all threads. `networks` may be sent to beside the public internet, which lies behind `proxy`."""

    def __init__(
        self,
        networks: Sequence[Network],
        timeout_s: float,
        *,
        proxy: Proxy | None = None,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = networks
        self._timeout_s = timeout_s
        self._proxy = proxy
        self._resolve = resolve
        self._tls = tls or default_ssl_context()

    def send(self, message: Message, now: datetime | None = None) -> AttemptResult:
        """What came of it, within the time that an attempt may take. `now` is signed; left out: the clock's."""
        at = now or datetime.now(UTC)
        started = monotonic()
        backend = CheckedBackend(
            self._networks,
            self._resolve,
            monotonic,
            started + self._timeout_s,
            is_plain=urlsplit(message.url).scheme != "https",
            proxy=self._proxy,
        )
        try:
            found = self._post(message, backend, at)
        except AddressRefusedError as problem:
            found = _Outcome(DeliveryError.ADDRESS_REFUSED, str(problem))
        except NameUnknownError as problem:
            found = _Outcome(DeliveryError.NO_ADDRESS, str(problem))
        except ProxyRefusedError as problem:
            found = _Outcome(DeliveryError.PROXY, str(problem))
        except TimeoutException:
            found = _Outcome(DeliveryError.TIMEOUT, f"no answer within {self._timeout_s:g} s")
        except (NetworkError, ProtocolError, UnsupportedProtocol, OSError) as problem:
            found = _Outcome(DeliveryError.TLS if _is_of_tls(problem) else DeliveryError.CONNECTION, str(problem))
        return AttemptResult(
            at=at,
            duration_ms=round(1000 * (monotonic() - started)),
            status=found.status,
            error=found.error,
            detail=_clean(found.detail)[:500],
            address=backend.address,
            response=_clean(found.response)[:KEPT_CHARACTERS],
            retry_after=read_retry_after(found.retry_after, at),
        )

    def _post(self, message: Message, backend: CheckedBackend, at: datetime) -> "_Outcome":
        headers = make_headers(message.secrets, message.id, int(at.timestamp()), message.body)
        headers |= {
            "host": urlsplit(message.url).netloc,
            "content-type": MEDIA_TYPE,
            "content-length": str(len(message.body)),
            "user-agent": f"forewarn/{version('forewarn')}",
            "accept-encoding": "identity",
            "connection": "close",
        }
        with (
            ConnectionPool(ssl_context=self._tls, max_connections=1, network_backend=backend) as pool,
            pool.stream("POST", message.url, headers=list(headers.items()), content=message.body) as response,
        ):
            return _judge(response)


@dataclass(frozen=True, slots=True)
class _Outcome:
    error: str
    detail: str = ""
    status: int | None = None
    response: str = ""
    retry_after: str | None = None


def _judge(response: Response) -> _Outcome:
    status = response.status
    if 200 <= status < 300:
        error = ""
    elif status == GONE:
        error = DeliveryError.GONE
    else:
        error = DeliveryError.REDIRECT if 300 <= status < 400 else DeliveryError.STATUS
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    text = _read_beginning(response)
    return _Outcome(error, "", status, text, headers.get(b"retry-after") if error else None)


def _read_beginning(response: Response) -> str:
    """What is kept of an answer. The status is what counts: a body that breaks off or comes slowly is no failure."""
    read = b""
    try:
        for chunk in response.iter_stream():
            read += chunk
            if len(read) >= READ_BYTES:
                break
    except (TimeoutException, NetworkError, ProtocolError, OSError):
        pass
    return read[:READ_BYTES].decode("utf-8", "replace")


def _is_of_tls(problem: BaseException | None) -> bool:
    while problem is not None and not isinstance(problem, ssl.SSLError):
        problem = problem.__cause__ or problem.__context__
    return problem is not None


def _clean(text: str) -> str:
    """The text as the database takes it."""
    return text.replace("\x00", "�")
