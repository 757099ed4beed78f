"""A gateway: batches what its devices report, keeps it while the connection is cut, and is as unreliable as asked for.

Pure but for its memory: it decides what is sent in which order; `simulators.connection` sends it. Equal seeds and equal
input give equal output.
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message, ready to send."""

    topic: str
    payload: bytes
    values: int
    retain: bool = False


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How a gateway batches and misbehaves; the shares are of telemetry messages."""

    max_values: int = 1_000  # a message is closed when it holds so many
    capacity: int = 20_000  # messages kept while the connection is cut; then the oldest is lost, and counted
    repeat_share: float = 0.0  # sent a second time, as after a lost acknowledgement
    reorder_share: float = 0.0  # held back and sent after the next one


class Gateway:
    """Stores and forwards the reports of its devices under `forewarn/v1/gateway/{name}/`."""

    def __init__(self, name: str, seed: int, settings: GatewaySettings | None = None) -> None:
        self.name = name
        self.settings = settings or GatewaySettings()
        self.lost = 0
        self.repeated = 0
        self.reordered = 0
        self._chance = random.Random(f"{seed}/{name}")  # noqa: S311 - simulation, not a secret
        self._batch: dict[str, list[dict[str, Any]]] = {}
        self._batch_values = 0
        self._outgoing: deque[Message] = deque()
        self._held: Message | None = None

    @property
    def waiting(self) -> int:
        """Messages that wait to be sent."""
        return len(self._outgoing)

    def collect(self, serial: str, entry: dict[str, Any]) -> None:
        """Adds one telemetry entry (`ts`, `seq`, `values`) of a device; closes the batch when it is full."""
        self._batch.setdefault(serial, []).append(entry)
        self._batch_values += len(entry["values"])
        if self._batch_values >= self.settings.max_values:
            self.flush()

    def flush(self) -> None:
        """Closes the current batch, if there is one, so that it can be taken."""
        if not self._batch:
            return
        message = Message(self._topic("telemetry"), orjson.dumps(self._batch), self._batch_values)
        self._batch = {}
        self._batch_values = 0
        held, self._held = self._held, None
        if held is None and self._chance.random() < self.settings.reorder_share:
            self._held = message
            self.reordered += 1
            return
        self._put(message)
        if held is not None:
            self._put(held)
        if self._chance.random() < self.settings.repeat_share:
            self.repeated += 1
            self._put(message)

    def report(self, what: str, bodies: dict[str, dict[str, Any]], retain: bool = False) -> None:
        """Queues a `firmware`, `event` or `status` message, one object per serial, behind what is queued already."""
        self._put(Message(self._topic(what), orjson.dumps(bodies), 0, retain))

    def take(self) -> Message | None:
        """The next message to send, or None; it is no longer kept here."""
        return self._outgoing.popleft() if self._outgoing else None

    def give_back(self, message: Message) -> None:
        """Puts a message that could not be sent back to the front."""
        self._outgoing.appendleft(message)

    def release(self) -> None:
        """Puts a message that was held back into the queue: nothing is left behind at the end."""
        self.flush()
        if self._held is not None:
            held, self._held = self._held, None
            self._put(held)

    def _topic(self, what: str) -> str:
        return f"forewarn/v1/gateway/{self.name}/{what}"

    def _put(self, message: Message) -> None:
        if len(self._outgoing) >= self.settings.capacity:
            self._outgoing.popleft()
            self.lost += 1
        self._outgoing.append(message)
