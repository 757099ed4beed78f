"""A TCP proxy that cuts: it stands between the programs and a server, and breaks connections when told to."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server really listens: a Unix socket, or a port of 127.0.0.1."""

    socket: Path | None = None
    port: int = 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the server."""
        if self.socket is not None:
            return await asyncio.open_unix_connection(str(self.socket))
        return await asyncio.open_connection("127.0.0.1", self.port)


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection and the one to the server that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    mute: bool = False  # answers are no longer passed on
    sent: bytearray = field(default_factory=bytearray)  # the last bytes from the client

    def cut(self) -> None:
        """Both sides see a reset connection: what was on the way is gone."""
        for writer in (self.client, self.server):
            writer.transport.abort()


class CuttingProxy:
    """Passes bytes on until it is told to cut. Its methods may be called from any thread."""

    def __init__(self, upstream: Upstream) -> None:
        self.port = 0
        self.cuts = 0  # connections that were cut
        self._upstream = upstream
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._lose_answer_to: bytes | None = None
        self._answers_to_lose = 0
        self.answers_lost = 0
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def start(self) -> None:
        """Listens on return."""
        self._thread.start()
        # By its own thread: the caller's may run a loop already.
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """No connection and no thread is left on return."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut_all()
        # Tasks end by themselves when their connections are gone.
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=5)

    def cut_all(self) -> int:
        """Every present connection is reset; returns how many there were."""
        return self._call(self._cut_all)

    def refuse(self, refusing: bool) -> None:
        """While refusing, new connections are reset at once: the server seems to be away."""
        self._refusing = refusing

    def lose_answer_to(self, request: bytes, times: int) -> None:
        """The next `times` requests that hold `request` reach the server; in place of an answer comes a cut."""
        self._lose_answer_to, self._answers_to_lose = request, times

    def _cut_all(self) -> int:
        links = list(self._links)
        for link in links:
            link.cut()
        self.cuts += len(links)
        return len(links)

    def _call(self, function: Callable[[], int]) -> int:
        async def run() -> int:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await self._upstream.connect()
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        self._links.add(link)
        try:
            there = self._spawn(self._pass_on(link, reader, server_writer, from_client=True))
            back = self._spawn(self._pass_on(link, server_reader, writer, from_client=False))
            # A side that ends, ends the other: the server must notice that a killed program is gone.
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
        finally:
            self._links.discard(link)
            for side in (writer, server_writer):
                side.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pass_on(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if from_client:
                    self._look_for_request(link, data)
                elif link.mute:
                    link.cut()
                    return
                writer.write(data)
                await writer.drain()

    def _look_for_request(self, link: _Link, data: bytes) -> None:
        if self._lose_answer_to is None or self._answers_to_lose <= 0:
            return
        link.sent += data
        if self._lose_answer_to in link.sent:
            self._answers_to_lose -= 1
            self.answers_lost += 1
            link.mute = True
        del link.sent[: -len(self._lose_answer_to)]


@contextmanager
def cutting_proxy(upstream: Upstream) -> Iterator[CuttingProxy]:
    """A proxy on a free port of 127.0.0.1, served by a thread of its own."""
    proxy = CuttingProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()
