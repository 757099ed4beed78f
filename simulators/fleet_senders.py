"""The fleet's ways to the broker: one connection per gateway, and one per device that has no gateway."""

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson

from domain.broker_address import BrokerAddress
from domain.clock import from_micros
from simulators.connection import Connection, Will
from simulators.gateway import Gateway, GatewaySettings

SEND_TIMEOUT_S = 2.0


class GatewaySender:
    """A gateway and its connection. While the connection is down, the gateway keeps what its devices report."""

    def __init__(
        self,
        address: BrokerAddress,
        name: str,
        serials: list[str],
        seed: int,
        settings: GatewaySettings,
        window: int,
        on_notice: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.gateway = Gateway(name, seed, settings)
        self.serials = serials
        # Without `ts`: the broker publishes the will, and the time of receipt is when the gateway was lost.
        offline = orjson.dumps({serial: {"state": "offline"} for serial in serials})
        will = Will(f"forewarn/v1/gateway/{name}/status", offline)
        self._states = dict.fromkeys(serials, "online")
        self._announce = threading.Event()
        heard = f"forewarn/v1/gateway/{name}/down/firmware/+" if on_notice is not None else ""
        self.connection = Connection(
            address, f"forewarn-sim-{name}", will, window, self._announce.set, heard, on_notice
        )

    def add_reading(self, serial: str, entry: dict[str, Any]) -> None:
        """Adds one telemetry entry to the batch."""
        self.gateway.collect(serial, entry)

    def report(self, serial: str, what: str, body: dict[str, Any]) -> None:
        """Reports `firmware` or `event` of one device."""
        self.gateway.report(what, {serial: body})

    def set_state(self, serial: str, is_online: bool) -> None:
        """What the gateway says of a device; all of its devices stand in one retained message."""
        self._states[serial] = "online" if is_online else "offline"
        self._announce.set()

    def send(self, flush: bool = True, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Sends what is waiting, as far as the connection takes it."""
        if flush:
            self.gateway.flush()
        if self._announce.is_set() and self.connection.is_connected:
            # After every connect as well: the broker may have published the will in the meantime.
            self._announce.clear()
            now_ms = time.time_ns() // 1_000_000
            bodies = {serial: {"ts": now_ms, "state": state} for serial, state in self._states.items()}
            self.gateway.report("status", bodies, retain=True)
        deadline = time.monotonic() + timeout_s
        while self.connection.is_connected and (message := self.gateway.take()) is not None:
            left_s = max(deadline - time.monotonic(), 0.0)
            if not self.connection.publish(message.topic, message.payload, message.retain, left_s):
                self.gateway.give_back(message)
                return

    def close(self) -> None:
        """Sends what is left and says farewell; a fleet that is switched off is offline."""
        self.gateway.release()
        for serial in self.serials:
            self.set_state(serial, False)
        self.send()
        self.connection.close()


class DeviceSender:
    """A device with a connection of its own, its status and its will."""

    def __init__(
        self,
        address: BrokerAddress,
        serial: str,
        seed: int,
        settings: GatewaySettings,
        window: int,
        on_notice: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.serial = serial
        self.serials = [serial]
        self._is_online = True
        self._announce = threading.Event()
        self.connection = Connection(
            address,
            f"forewarn-sim-{serial}",
            Will(f"forewarn/v1/{serial}/status", orjson.dumps({"state": "offline"})),
            window,
            self._announce.set,
            f"forewarn/v1/{serial}/down/firmware" if on_notice is not None else "",
            on_notice,
        )
        self._entries: list[dict[str, Any]] = []
        self._reports: list[tuple[str, bytes]] = []
        self._capacity = settings.capacity
        self._values_per_message = settings.max_values

    def add_reading(self, serial: str, entry: dict[str, Any]) -> None:
        """Keeps one telemetry entry; the oldest is lost when too many wait."""
        self._entries.append(entry)
        if len(self._entries) > self._capacity:
            del self._entries[0]

    def report(self, serial: str, what: str, body: dict[str, Any]) -> None:
        """Reports `firmware` or `event`."""
        self._reports.append((f"forewarn/v1/{serial}/{what}", orjson.dumps(body)))

    def set_state(self, serial: str, is_online: bool) -> None:
        """Offline: the connection is dropped without a farewell, so that the will is published. Online: it is back."""
        self._is_online = is_online
        if is_online:
            self.connection.start()
            self._announce.set()
        else:
            self.connection.cut()

    def send(self, flush: bool = True, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Sends what is waiting, as far as the connection takes it."""
        deadline = time.monotonic() + timeout_s
        if self._announce.is_set() and self.connection.is_connected:
            self._announce.clear()
            self._publish_status("online", timeout_s)
        while self._reports and self.connection.is_connected:
            topic, payload = self._reports[0]
            if not self.connection.publish(topic, payload, False, max(deadline - time.monotonic(), 0.0)):
                return
            del self._reports[0]
        rows = max(self._values_per_message // max(len(self._entries[0]["values"]), 1), 1) if self._entries else 1
        while self._entries and self.connection.is_connected and (flush or len(self._entries) >= rows):
            batch = self._entries[:rows]
            payload = orjson.dumps(batch if len(batch) > 1 else batch[0])
            topic = f"forewarn/v1/{self.serial}/telemetry"
            if not self.connection.publish(topic, payload, False, max(deadline - time.monotonic(), 0.0)):
                return
            del self._entries[: len(batch)]

    def close(self) -> None:
        """Sends what is left and says farewell."""
        if self._is_online:
            self.send()
            if self.connection.is_connected:
                self._publish_status("offline", SEND_TIMEOUT_S)
        self.connection.close()

    def _publish_status(self, state: str, timeout_s: float) -> None:
        payload = orjson.dumps({"ts": time.time_ns() // 1_000_000, "state": state})
        if not self.connection.publish(f"forewarn/v1/{self.serial}/status", payload, True, timeout_s):
            self._announce.set()


Sender = GatewaySender | DeviceSender


def wait_until_connected(senders: list[Sender], stop: threading.Event, say: Callable[[str], None]) -> bool:
    """Whether every sender has its connection, waiting without end but for `stop`; what is waited for is said."""
    said_at = time.monotonic()
    for sender in senders:
        while not sender.connection.wait_connected(stop, 1.0):
            if stop.is_set():
                return False
            if time.monotonic() - said_at > 5.0:
                said_at = time.monotonic()
                say(f"waiting for the broker: {sender.connection.client_id} is not connected yet")
    return True


def describe_instant(micros: int) -> str:
    """An instant for people."""
    return f"{from_micros(micros):%Y-%m-%d %H:%M:%S} UTC"
