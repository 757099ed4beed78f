"""A simulated Sparkplug edge node on a real broker: births, data by alias, rebirths, history after an outage."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from domain.broker_address import BrokerAddress, parse_broker_address
from simulators.chance import find_unit_seeds
from simulators.connection import close_pair
from simulators.device_kind import DeviceKind
from simulators.faults import Intensities
from simulators.infusion_pump import InfusionPump
from simulators.settings import SparkplugSettings
from simulators.sparkplug_node import EdgeDevice, Publication, SparkplugNode
from simulators.sparkplug_payload import asks_for_rebirth
from simulators.ventilator import Ventilator

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 10
FIRST_BACKOFF_S = 0.2
LAST_BACKOFF_S = 10.0
KINDS: tuple[tuple[str, DeviceKind], ...] = (("INF", InfusionPump()), ("VEN", Ventilator()))


class SparkplugEdge:
    """An edge node with its connection. Every connection is a session of its own, with the next number in its will.

    `report` and the other verbs may be called from one thread; commands come in on another.
    """

    def __init__(self, address: BrokerAddress, node: SparkplugNode) -> None:
        self.node = node
        self.published_values = 0
        self.births = 0  # how often all births were sent
        self._address = address
        self._lock = threading.RLock()  # of the node: a rebirth comes between two messages, never within one
        self._client: mqtt.Client | None = None

    @property
    def is_online(self) -> bool:
        """It is connected, and its births are sent."""
        with self._lock:
            return self._client is not None and self._client.is_connected() and self.node.is_born

    def connect(self, timeout_s: float = 10.0) -> None:
        """Makes a new session and sends all births.

        Raises
        ------
        OSError
            The broker cannot be reached or refuses the connection.
        """
        will = self.node.begin_session()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"forewarn-sim-{self.node.edge}", reconnect_on_failure=False
        )
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            client.tls_set()
        client.will_set(will.topic, will.payload, qos=1, retain=False)
        ready = threading.Event()
        client.on_connect = lambda c, *_: c.subscribe(self.node.command_topic, qos=1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = self._take_command
        client.connect(self._address.host, self._address.port, KEEP_ALIVE_S)
        client.loop_start()
        if not ready.wait(timeout_s):
            client.loop_stop()
            close_pair(client)
            raise OSError("the broker does not answer, or refuses the connection")
        with self._lock:
            self._client = client
            self._bear()

    def _take_command(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        if asks_for_rebirth(bytes(message.payload)):
            with self._lock:
                if self.node.is_born:
                    self._bear()

    def _bear(self) -> None:
        self.births += 1
        for birth in self.node.bear(find_now_ms()):
            self._send(birth)

    def report(self, serial: str, time_ms: int, values: Mapping[str, float]) -> None:
        """Readings of one device: sent, or kept while there is no session."""
        with self._lock:
            if not self.is_online:
                self.node.is_born = False
            publication = self.node.report(serial, time_ms, values, find_now_ms())
            if publication is not None:
                self._send(publication)

    def send_history(self, most: int = 100) -> None:
        """Sends what was kept while there was no session, at most so many messages."""
        with self._lock:
            for _ in range(most if self.is_online else 0):
                publication = self.node.take_history(find_now_ms())
                if publication is None:
                    return
                self._send(publication)

    def lose_device(self, serial: str) -> None:
        """One device is gone, the node goes on."""
        with self._lock:
            self._send(self.node.lose_device(serial, find_now_ms()))

    def bear_device(self, serial: str) -> None:
        """That device is back."""
        with self._lock:
            self._send(self.node.bear_device(serial, find_now_ms()))

    def _send(self, publication: Publication) -> None:
        assert self._client is not None
        self._client.publish(publication.topic, publication.payload, qos=0)
        self.published_values += publication.values

    def skip(self) -> None:
        """Makes a message and loses it on the way, as a full queue does."""
        with self._lock:
            self.node.report(next(iter(self.node.devices)), find_now_ms(), {}, find_now_ms())

    def cut(self) -> None:
        """Drops the connection as a pulled cable does: the broker publishes the will."""
        with self._lock:
            client, self._client = self._client, None
            self.node.is_born = False
        if client is not None:
            client.loop_stop()
            sock: Any = client.socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            close_pair(client)

    def close(self) -> None:
        """Says that the node is dead, then farewell: no will is published after that."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and client.is_connected():
                death = self.node.end_session()
                client.publish(death.topic, death.payload, qos=1).wait_for_publish(5.0)
        if client is not None:
            client.disconnect()
            client.loop_stop()
            close_pair(client)


def find_now_ms() -> int:
    """This machine's time."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class SparkplugReport:
    """What a run came to."""

    devices: int
    values: int
    births: int
    lost: int


class _Units:
    """The units of one device kind behind the node."""

    def __init__(self, kind: DeviceKind, serials: list[str], seed: int, t_s: float) -> None:
        self.kind = kind
        self.serials = serials
        self._seeds = find_unit_seeds(seed, serials)
        self._t_s = t_s
        self._state = kind.start(self._seeds, t_s)

    def advance(self, t_s: float) -> dict[str, dict[str, float]]:
        """The readings of each device at that time."""
        faults = Intensities(self.serials, (), round(t_s * 1e6))
        self._state, readings = self.kind.advance(self._seeds, self._state, t_s, t_s - self._t_s, faults)
        self._t_s = t_s
        return {
            serial: {
                sensor: round(float(readings[row, column]), decimals)
                for row, (sensor, decimals) in enumerate(zip(self.kind.sensors, self.kind.decimals, strict=True))
            }
            for column, serial in enumerate(self.serials)
        }


def find_serials(settings: SparkplugSettings) -> list[tuple[DeviceKind, list[str]]]:
    """Which devices stand behind the node: infusion pumps and ventilators in turn."""
    return [
        (kind, [f"{settings.edge}-{prefix}-{i + 1:02d}" for i in range(settings.devices) if i % len(KINDS) == place])
        for place, (prefix, kind) in enumerate(KINDS)
    ]


def run_sparkplug_edge(settings: SparkplugSettings, stop: threading.Event) -> SparkplugReport:
    """Reports until `stop`, through outages of the broker, and dies in order.

    Raises
    ------
    ConfigurationError
        The broker's address is none.
    """
    start_s = time.time()
    units = [_Units(kind, serials, settings.seed, start_s) for kind, serials in find_serials(settings) if serials]
    devices = [EdgeDevice(serial, unit.kind.sensors) for unit in units for serial in unit.serials]
    # A node counts its sessions over restarts; the clock does it for one that has no memory.
    node = SparkplugNode(settings.group, settings.edge, devices, first_bd_seq=int(start_s))
    edge = SparkplugEdge(parse_broker_address(settings.mqtt_url), node)
    failures, retry_at, next_s = 0, 0.0, start_s
    try:
        while not stop.is_set():
            if not edge.is_online and time.monotonic() >= retry_at:
                edge.cut()
                try:
                    edge.connect()
                    failures = 0
                except OSError as problem:
                    failures += 1
                    retry_at = time.monotonic() + min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 16))
                    log.warning("broker: %s", problem)
            next_s += settings.interval_s
            for unit in units:
                for serial, values in unit.advance(next_s).items():
                    edge.report(serial, round(next_s * 1000), values)
            edge.send_history()
            stop.wait(max(next_s - time.time(), 0.0))
    finally:
        edge.close()
    return SparkplugReport(len(devices), edge.published_values, edge.births, node.lost)
