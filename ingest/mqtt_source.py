"""Messages from an MQTT broker over a persistent session, acknowledged only when the caller says so.

One thread owns the connection and reads while there is room. While the caller is behind, or its database is away,
nothing more is read, so the broker holds the rest. That can last longer than two keep-alive times; then paho, which
does not see the answer to its ping behind the unread messages, connects anew, and the broker, which has kept the
session, sends again what was not acknowledged.
"""

import logging
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.broker_address import BrokerAddress, parse_broker_address
from domain.errors import ConfigurationError
from ingest.message import Message
from ingest.mqtt_connection import Connection, ConnectionLostError, VersionRefusedError, find_filters
from ingest.settings import MqttSettings
from ingest.sparkplug.host import HostState

log = logging.getLogger(__name__)

# rumqttd sends up to its window of 100 again without the DUP mark that MQTT-3.3.1-1 asks for.
UNMARKED_REPEATS = 100
MAX_TO_PUBLISH = 1_000
LEAVE_AFTER_S = 3.0  # without a message
# Messages are never received so quickly that their own microseconds run ahead of the clock by as much.
CLOCK_WAS_SET_US = 1_000_000


@dataclass(slots=True)
class Chunk:
    """Messages that were read together. `generation` is the connection they came over: only there can they be
    acknowledged, because a new connection gives the same packet ids to other messages."""

    generation: int
    received_us: int
    messages: list[Message]
    size: int
    may_repeat: bool = False  # the first of a resumed session: a broker may send again without saying so
    away_us: int = 0  # how long, before these, nothing was read


@dataclass(frozen=True, slots=True)
class SourceState:
    """For the heartbeat."""

    connected: bool
    connections: int  # made since the start
    waiting_messages: int  # read and not yet acknowledged
    waiting_bytes: int
    oldest_us: int | None  # when the oldest of them was received
    problem: str  # why it is not connected


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    tls: ssl.SSLContext | None
    username: str | None
    password: str | None


class MqttSource:
    """A bounded queue of messages that a broker holds for us until they are acknowledged.

    Parameters
    ----------
    settings
        See there.
    now_us
        The receiver's clock, microseconds since 1970.
    filters
        What to subscribe to instead of Forewarn's own topics.
    host_id
        Says online and offline as the Sparkplug host application of that name.
    is_leaving
        Subscribes to nothing any more, takes what the broker still has for this client and ends the session: for a
        process that will not come back.
    """

    def __init__(
        self,
        settings: MqttSettings,
        now_us: Callable[[], int],
        max_payload: int,
        *,
        filters: Sequence[str] | None = None,
        host_id: str | None = None,
        is_leaving: bool = False,
    ) -> None:
        self._settings = settings
        self._is_leaving = is_leaving
        self._received_at = time.monotonic()
        self._filters = find_filters(settings.share_group) if filters is None else filters
        self._host_id = host_id
        self._address = _find_address(settings)
        self._is_mqtt5 = _find_version(settings)
        self._now_us = now_us
        self._max_payload = max_payload
        self._changed = threading.Condition()
        self._chunks: deque[Chunk] = deque()
        self._taken: deque[Chunk] = deque()  # and not yet acknowledged
        self._held_messages = 0
        self._held_bytes = 0
        self._queued_messages = 0
        self._generation = 0
        self._received = 0  # messages, over this connection
        self._free_us = 0  # the first microsecond that no message was received in
        self._listened_us: int | None = None  # until when there was room and a connection
        self._away_us = 0
        self._to_acknowledge: list[int] = []  # of the present connection, in order of receipt
        self._to_publish: list[tuple[str, bytes, int]] = []
        self._connection: Connection | None = None
        self._problem = "not connected yet"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def start(self) -> None:
        """Connects, and connects again whenever that is needed, until `close`."""
        self._thread.start()

    def take(self, *, max_messages: int, max_bytes: int, timeout_s: float, linger_s: float) -> list[Chunk]:
        """The oldest chunks, until one of the two bounds is reached (the last chunk may go beyond it).

        Waits up to `timeout_s` for a first message, then up to `linger_s` for the batch to fill.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._closing.is_set(), timeout_s)
            if linger_s > 0 and self._chunks:
                self._changed.wait_for(
                    lambda: self._queued_messages >= max_messages or self._is_full() or self._closing.is_set(), linger_s
                )
            taken: list[Chunk] = []
            messages = size = 0
            while self._chunks and messages < max_messages and size < max_bytes:
                chunk = self._chunks.popleft()
                taken.append(chunk)
                messages += len(chunk.messages)
                size += chunk.size
            self._queued_messages -= messages
            self._taken += taken
            return taken

    def acknowledge(self, chunks: Sequence[Chunk]) -> None:
        """Lets the broker forget these messages. Those of an earlier connection are only counted out: the broker
        sends them again."""
        with self._changed:
            for chunk in chunks:
                self._taken.remove(chunk)  # it is the first
                self._held_messages -= len(chunk.messages)
                self._held_bytes -= chunk.size
                if chunk.generation == self._generation:
                    self._to_acknowledge.extend(m.packet_id for m in chunk.messages if m.packet_id)
        self._wake()

    def publish(self, topic: str, payload: bytes, *, expires_s: int) -> bool:
        """Hands the message to the present connection, QoS 0, not retained; False, and a line in the log, when there is
        none or too many wait. Where the broker speaks MQTT 5 it drops what it could not hand on for `expires_s`. Any
        thread may call it."""
        with self._changed:
            problem = "too many messages wait" if len(self._to_publish) >= MAX_TO_PUBLISH else self._problem
            if not problem and self._connection is not None:
                self._to_publish.append((topic, payload, expires_s))
        if problem:
            log.warning("%s was not published: %s", topic, problem)
            return False
        self._wake()
        return True

    def find_state(self) -> SourceState:
        """How things stand now."""
        with self._changed:
            oldest = self._taken or self._chunks
            return SourceState(
                connected=self._connection is not None,
                connections=self._generation,
                waiting_messages=self._held_messages,
                waiting_bytes=self._held_bytes,
                oldest_us=oldest[0].received_us if oldest else None,
                problem=self._problem,
            )

    def is_drained(self) -> bool:
        """Whether this client is leaving and the broker has nothing more for it."""
        with self._changed:
            is_quiet = self._connection is not None and time.monotonic() - self._received_at > LEAVE_AFTER_S
            return self._is_leaving and is_quiet and not self._held_messages

    def close(self, timeout_s: float = 5.0) -> None:
        """Sends the acknowledgements that are still to be sent, then disconnects; the broker keeps the session."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._wake_in.close()
        self._wake_out.close()

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"w")
        except (BlockingIOError, OSError):
            return  # a wake-up is already under way, or nobody is left to be woken

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            started = time.monotonic()
            try:
                self._serve(self._open())
            except VersionRefusedError as error:
                if self._settings.version == "auto":
                    log.info("the broker knows no MQTT 5 (%s): going on with 3.1.1", error)
                    self._is_mqtt5 = False  # for as long as this process runs
                    continue
                self._note_problem(error)
            except (OSError, ConnectionLostError) as error:
                self._note_problem(error)
            except Exception as error:
                # Whatever a broker sent that nobody understands: without this thread nothing would ever come again.
                log.exception("the connection to the broker failed")
                self._note_problem(error)
            failures = 0 if time.monotonic() - started > 10 else failures + 1
            ceiling = min(self._settings.max_backoff_s, 0.1 * 2 ** min(failures, 20))
            # Half fixed, half random: a thousand clients do not come back in the same instant.
            self._closing.wait(ceiling * (0.5 + random.random() / 2))  # noqa: S311

    def _note_problem(self, error: Exception) -> None:
        with self._changed:
            self._problem = str(error) or type(error).__name__
        if not self._closing.is_set():
            log.warning("broker %s:%s: %s", self._address.host, self._address.port, self._problem)

    def _open(self) -> Connection:
        address = self._address
        return Connection(
            address.host,
            address.port,
            client_id=self._settings.client_id,
            filters=self._filters,
            keepalive_s=self._settings.keepalive_s,
            connect_timeout_s=self._settings.connect_timeout_s,
            max_payload=self._max_payload,
            tls=address.tls,
            username=address.username,
            password=address.password,
            is_mqtt5=self._is_mqtt5,
            session_expiry_s=self._settings.session_expiry_s,
            is_leaving=self._is_leaving,
            host_state=None if self._host_id is None else HostState(self._host_id, self._now_us() // 1000),
        )

    def _serve(self, connection: Connection) -> None:
        with self._changed:
            self._generation += 1
            self._received = 0
            self._to_acknowledge = []
            self._to_publish = []
            self._connection = connection
            self._received_at = time.monotonic()
            self._problem = ""
        try:
            while not self._closing.is_set():
                self._step(connection)
            self._send(connection)
            connection.say_offline(self._now_us() // 1000)
            deadline = time.monotonic() + 2.0
            while connection.wants_write() and time.monotonic() < deadline:
                select.select([], [connection.sock], [], 0.1)
                connection.write()
        finally:
            with self._changed:
                self._connection = None
                self._problem = self._problem or "the connection ended"
                self._forget_queued()
            connection.close(ends_session=self._is_leaving and self._closing.is_set() and not self._held_messages)

    def _send(self, connection: Connection) -> None:
        with self._changed:
            packet_ids, self._to_acknowledge = self._to_acknowledge, []
            messages, self._to_publish = self._to_publish, []
        connection.acknowledge(packet_ids)
        for topic, payload, expires_s in messages:
            connection.publish(topic, payload, expires_s)
        connection.write()

    def _step(self, connection: Connection) -> None:
        with self._changed:
            room = not self._is_full()
        if room:
            begin_us = self._now_us()
            self._away_us += max(0, begin_us - (self._listened_us or begin_us))
        connection.keep_alive()
        timeout = 0.0 if room and connection.has_buffered_input() else min(1.0, self._settings.keepalive_s / 4)
        readable, _, _ = select.select(
            [connection.sock, self._wake_out] if room else [self._wake_out],
            [connection.sock] if connection.wants_write() else [],
            [],
            timeout,
        )
        if self._wake_out in readable:
            self._wake_out.recv(4096)
        self._send(connection)
        if room and (connection.sock in readable or timeout == 0.0):
            messages, size = connection.read()
            if messages:
                may_repeat = connection.session_present and self._received < UNMARKED_REPEATS
                self._received += len(messages)
                received_us = find_receipt(self._now_us(), self._free_us)
                self._free_us = received_us + len(messages)
                self._put(Chunk(self._generation, received_us, messages, size, may_repeat, self._away_us))
                self._away_us = 0
        if room:
            self._listened_us = self._now_us()

    def _put(self, chunk: Chunk) -> None:
        with self._changed:
            self._chunks.append(chunk)
            self._received_at = time.monotonic()
            self._held_messages += len(chunk.messages)
            self._held_bytes += chunk.size
            self._queued_messages += len(chunk.messages)
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return (
            self._held_messages >= self._settings.max_unacknowledged_messages
            or self._held_bytes >= self._settings.max_unacknowledged_bytes
        )

    def _forget_queued(self) -> None:
        """Drops what nobody has taken yet: the broker sends it again over the next connection. QoS 0 it does not."""
        kept: deque[Chunk] = deque()
        for chunk in self._chunks:
            unacknowledgeable = [message for message in chunk.messages if not message.packet_id]
            size = sum(len(message.payload) + len(message.topic) for message in unacknowledgeable)
            self._away_us += chunk.away_us
            self._held_messages -= len(chunk.messages) - len(unacknowledgeable)
            self._held_bytes -= chunk.size - size
            if unacknowledgeable:
                kept.append(Chunk(chunk.generation, chunk.received_us, unacknowledgeable, size))
        self._chunks = kept
        self._queued_messages = sum(len(chunk.messages) for chunk in kept)


def find_receipt(now_us: int, free_us: int) -> int:
    """When a message was received: now, but not before `free_us`, as every message has a microsecond of its own (see
    `ingest.columns`). A clock that was set back is followed: else all would be stamped with its former future."""
    return now_us if free_us - now_us > CLOCK_WAS_SET_US else max(now_us, free_us)


def _find_version(settings: MqttSettings) -> bool:
    """Whether MQTT 5 is to be spoken, at first."""
    if settings.version not in ("auto", "5", "3.1.1"):
        raise ConfigurationError(f"the MQTT version is auto, 5 or 3.1.1, not {settings.version}")
    return settings.version != "3.1.1"


def _find_address(settings: MqttSettings) -> _Address:
    named = parse_broker_address(settings.url)
    return _Address(
        host=named.host,
        port=named.port,
        tls=_find_tls(settings, named) if named.tls else None,
        username=settings.username or named.username,
        password=settings.password or named.password,
    )


def _find_tls(settings: MqttSettings, named: BrokerAddress) -> ssl.SSLContext:
    cert_file, key_file = settings.cert_file or named.cert_file, settings.key_file or named.key_file
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or named.ca_file)
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except OSError as error:
        raise ConfigurationError(f"A certificate of the MQTT address cannot be used: {error}.") from error
    return context
