"""Open inboxes, as far as the server sees them: the event stream of each, read and not shown.

    python -m benchmarks.console_streams --port 8000 --cookie forewarn_session=... --streams 200

Standard output: one JSON object a line, how many streams are `open`, how many `ended`, and how many `arrivals` of which
change of a work order there were. A line on standard input asks for `arrived` (when, in seconds since 1970, each change
reached each stream) and `shown` (the same for the rows that the page would show). It ends with its input.

All streams are told the same bytes, which are taken apart once: what two hundred browsers do on two hundred desks shall
take as little as it can of the machine that is measured.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

import orjson

PATH = "/inbox/events/stream?sort=sla"
REPORT_S = 0.5
END = b"\n\n"
Times = defaultdict[str, list[float]]


@dataclass(slots=True)
class Seen:
    """What all of them have seen."""

    open: int = 0
    ended: int = 0
    arrived: Times = field(default_factory=lambda: defaultdict(list))
    shown: Times = field(default_factory=lambda: defaultdict(list))

    def tell(self, *, whole: bool) -> str:
        """What there is to say now, as one line."""
        arrivals = {key: len(times) for key, times in self.arrived.items()}
        said: dict[str, object] = {"open": self.open, "ended": self.ended, "arrivals": arrivals}
        return json.dumps(said | ({"arrived": self.arrived, "shown": self.shown} if whole else {}))


class Console(asyncio.Protocol):
    """One stream."""

    def __init__(self, request: bytes, seen: Seen) -> None:
        self._request = request
        self._seen = seen
        self._buffer = b""
        self._is_open = False
        self._rows: frozenset[str] = frozenset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Notes which changes it tells of."""
        whole, found, self._buffer = (self._buffer + data).rpartition(END)
        if not found:
            return
        now = time.time()
        is_ready, changes, rows = find_news(whole)
        for key in changes:
            self._seen.arrived[key].append(now)
        if rows is not None:
            for key in rows - self._rows:
                self._seen.shown[key].append(now)
            self._rows = rows
        if is_ready:
            self._is_open = True
            self._seen.open += 1

    def connection_lost(self, _: Exception | None) -> None:
        """The server ended it."""
        self._seen.ended += 1
        self._seen.open -= self._is_open


@lru_cache(maxsize=256)
def find_news(events: bytes) -> tuple[bool, tuple[str, ...], frozenset[str] | None]:
    """Whether the stream has begun, the changes of orders, and the rows to be shown, as code and version."""
    is_ready, changes, rows = False, list[str](), None
    name = b""
    for line in events.split(b"\n"):
        if line.startswith(b"event: "):
            name = line[7:]
            is_ready |= name == b"ready"
        elif line.startswith(b"data: ") and name == b"work_order":
            change = orjson.loads(line[6:])
            changes.append(f"{change['id']}:{change['version']}")
        elif line.startswith(b"data: ") and name == b"rows":
            rows = frozenset(f"{code}:{version}" for code, version in orjson.loads(line[6:])["rows"].items())
    return is_ready, tuple(changes), rows


async def run(port: int, cookie: str, streams: int) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(sys.stdin.fileno(), lambda: asked.put_nowait(sys.stdin.buffer.readline()))
    seen = Seen()
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
    for _ in range(streams):
        await loop.create_connection(lambda: Console(request, seen), "127.0.0.1", port)
    line: bytes | None = None
    while line != b"":
        print(seen.tell(whole=line is not None), flush=True)
        try:
            line = await asyncio.wait_for(asked.get(), REPORT_S)
        except TimeoutError:
            line = None


def main() -> None:
    """Runs until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cookie", required=True, help="name=value of a session")
    parser.add_argument("--streams", type=int, default=200)
    arguments = parser.parse_args()
    asyncio.run(run(arguments.port, arguments.cookie, arguments.streams))


if __name__ == "__main__":
    main()
