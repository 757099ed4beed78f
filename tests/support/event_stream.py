"""A client of the streams of changes: every event it hears, in a queue."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import httpx

from tests.support.http_api import Api

STREAM = "/api/v1/events/stream"
Event = tuple[str, str, dict[str, object]]  # id, name, data


class Stream:
    """One open stream, read by a thread of its own."""

    def __init__(self, api: Api, headers: dict[str, str], path: str = STREAM) -> None:
        self.events: Queue[Event] = Queue()
        self.comments = 0
        self.ended = threading.Event()
        self._api = api
        self._headers = headers
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        url = f"{self._api.client.base_url}{self._path}"
        try:
            with httpx.stream("GET", url, headers=self._headers, timeout=60) as response:
                assert response.status_code == 200, response.status_code
                parts: dict[str, str] = {}
                for line in response.iter_lines():
                    if self._stop.is_set():
                        return
                    if line.startswith(":"):
                        self.comments += 1
                    elif line:
                        name, _, value = line.partition(": ")
                        parts[name] = value
                    elif parts:
                        self.events.put((parts.get("id", ""), parts["event"], json.loads(parts["data"])))
                        parts = {}
        finally:
            self.ended.set()

    def next(self) -> Event:
        """The next event."""
        return self.events.get(timeout=60)

    def next_of(self, name: str) -> dict[str, object]:
        """The data of the next event of that name; others are passed over."""
        while (event := self.next())[1] != name:
            pass
        return event[2]

    def next_entity(self) -> str:
        """Which record the next event names."""
        return str(self.next()[2]["id"])

    def close(self) -> None:
        """Nothing is left of it."""
        self._stop.set()  # the next heartbeat lets the thread see it
        self._thread.join(timeout=60)


@contextmanager
def following(api: Api, headers: dict[str, str], last: str = "", path: str = STREAM) -> Iterator[Stream]:
    """The stream of that address from that event on, as long as the block runs."""
    stream = Stream(api, {**headers, **({"Last-Event-ID": last} if last else {})}, path)
    try:
        yield stream
    finally:
        stream.close()
