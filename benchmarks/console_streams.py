"""Open consoles, as far as the server sees them: an event stream each, and a look at the inbox after what is not shown.

    python -m benchmarks.console_streams --port 8000 --cookie forewarn_session=... --streams 200

Standard output: one JSON object a line, `open` streams, `looks` that were answered and how long they took, and under
`arrived` when (seconds since 1970) each change of a work order reached each stream. It ends with its input.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

import orjson

LOOK_S = 0.3  # as static/console.js: after so long at least, and as much longer as the server says
REPORT_S = 0.5
NEWEST_LOOKS = 2_000


@dataclass(slots=True)
class View:
    """One console: which rows it shows, and when it may look again."""

    shown: frozenset[str] = frozenset()
    look_s: float = LOOK_S
    look: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Consoles:
    """What all of them have seen."""

    port: int
    cookie: str
    open: int = 0
    ended: int = 0
    looks: int = 0
    look_ms: list[float] = field(default_factory=list)
    arrived: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def follow(self, number: int) -> None:
        """One console, until the server ends its stream."""
        reader, writer = await self._ask("/api/v1/events/stream")
        try:
            if b" 200 " not in await reader.readline():
                return
            self.open += 1
            await self._read(reader, random.Random(number))
            self.ended += 1
        finally:
            self.open -= 1
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, chance: random.Random) -> None:
        name = b""
        view = View()
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: ") and name in (b"ready", b"reset"):
                view.look_s = max(LOOK_S, orjson.loads(line[6:])["look_after"] / 1e3)
                self._look_soon(view, chance)
            elif line.startswith(b"data: ") and name == b"work_order":
                change = orjson.loads(line[6:])
                self.arrived[f"{change['id']}:{change['version']}"].append(time.time())
                if change["id"] not in view.shown:  # a row that is shown is marked by the event itself
                    self._look_soon(view, chance)

    def _look_soon(self, view: View, chance: random.Random) -> None:
        if view.look is None or view.look.done():
            view.look = asyncio.create_task(self._look(view, LOOK_S + view.look_s * chance.random()))

    async def _look(self, view: View, after_s: float) -> None:
        await asyncio.sleep(after_s)
        began = time.perf_counter()
        reader, writer = await self._ask("/inbox/versions?sort=sla", close=True)
        try:
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " in head[:20]:
            took_s = time.perf_counter() - began
            self.looks += 1
            self.look_ms.append(took_s * 1e3)
            after_ms = next(int(line[14:]) for line in head.split(b"\r\n") if line.startswith(b"x-look-after: "))
            view.look_s = max(LOOK_S, 4 * took_s, after_ms / 1e3)
            view.shown = view.shown or frozenset(orjson.loads(body)["rows"])

    async def _ask(self, path: str, *, close: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\n"
        writer.write((head + ("Connection: close\r\n" if close else "") + "\r\n").encode())
        await writer.drain()
        return reader, writer

    def tell(self) -> str:
        """What there is to say now, as one line."""
        seen = {"open": self.open, "ended": self.ended, "looks": self.looks, "arrived": self.arrived}
        return json.dumps(seen | {"look_ms": [round(one, 1) for one in self.look_ms[-NEWEST_LOOKS:]]})


async def run(port: int, cookie: str, streams: int) -> None:
    """Until standard input ends."""
    consoles = Consoles(port, cookie)
    tasks = [asyncio.create_task(consoles.follow(number)) for number in range(streams)]
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        print(consoles.tell(), flush=True)
        await asyncio.wait([ended], timeout=REPORT_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
