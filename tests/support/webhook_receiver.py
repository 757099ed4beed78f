"""A receiver of webhooks: a real HTTP server that answers as a test wants, and checks what comes as receivers do."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook

NETWORKS = "127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Received:
    """One request; its signature was verified before."""

    id: str
    path: str
    headers: Mapping[str, str]
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What it is answered with. `cut`: the connection ends without an answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False


Decide = Callable[[Received, int], Answer]


class Receiver:
    """What came, in order. `decide` is given the request and how often its id came before."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}  # by the path that an endpoint has
        self.requests: list[Received] = []
        self.wrong: list[str] = []
        self.decide: Decide = lambda request, before: Answer()
        self.hold = threading.Event()  # answers wait for it
        self.hold.set()
        self._times: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self.port = 0

    def url(self, path: str = "/hook") -> str:
        """Its address without TLS."""
        return f"http://127.0.0.1:{self.port}{path}"

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request."""
        try:
            secret = self.secrets.get(path)
            if secret is not None:
                Webhook(secret).verify(body, dict(headers), json_parse=False)
        except Exception as problem:  # noqa: BLE001 - whatever a receiver would stumble over
            self.wrong.append(repr(problem))
        received = Received(headers["webhook-id"], path, headers, json.loads(body))
        with self._lock:
            self.requests.append(received)
            before = self._times[received.id]
            self._times[received.id] += 1
        self.hold.wait(120)
        return self.decide(received, before)

    def find_ids(self) -> list[str]:
        """The ids that came, in order, each time that they came."""
        with self._lock:
            return [request.id for request in self.requests]


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.take(self.path, headers, body)
            if answer.cut:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver")
    thread.start()
    try:
        yield receiver
    finally:
        receiver.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
