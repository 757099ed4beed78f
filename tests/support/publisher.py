"""A bare MQTT 3.1.1 publisher at QoS 1 that knows exactly which of its messages the broker has acknowledged.

It is written on a socket, not on a client library, so that the record of a fault test depends on nothing but the
protocol: a message counts as acknowledged when, and only when, its PUBACK was read.
"""

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Sequence

CONNECT_TIMEOUT_S = 20.0
PUBLISH_QOS1 = 0x32
PACKET_IDS = 65_535
KEEP_ALIVE_S = 600  # longer than any test; rumqttd refuses a session without one


class Publisher:
    """Publishes a list of messages in order, at most `rate` a second, resending what a broken connection left open."""

    def __init__(self, port: int, client_id: str, messages: Sequence[tuple[str, bytes]]) -> None:
        self.acknowledged = [False] * len(messages)
        self.acknowledged_count = 0
        self.sent_count = 0  # with repetitions
        self.connections = 0
        self._port = port
        self._client_id = client_id
        self._messages = messages
        self._in_flight: dict[int, int] = {}  # packet id -> message, in order of sending
        self._to_repeat: deque[int] = deque()
        self._next_message = 0
        self._next_packet_id = 0
        self._received = b""
        self._stop = threading.Event()
        self.problem: BaseException | None = None

    def publish_all(self, *, rate: float | None = None, window: int = 500, timeout_s: float = 120.0) -> None:
        """Every message is acknowledged on return.

        Raises
        ------
        TimeoutError
            They were not within `timeout_s`.
        """
        started = time.monotonic()
        while self.acknowledged_count < len(self._messages) and not self._stop.is_set():
            try:
                with connect(self._port, self._client_id) as conn:
                    self.connections += 1
                    self._requeue()
                    self._pump(conn, started, rate, window, timeout_s)
            except OSError:
                time.sleep(0.05)
            if time.monotonic() - started > timeout_s:
                raise TimeoutError(f"{self.acknowledged_count} of {len(self._messages)} acknowledged in {timeout_s} s")

    def run_in_thread(self, *, rate: float | None = None, timeout_s: float = 120.0) -> threading.Thread:
        """`publish_all` in a thread that is started; join it, and look at `problem`."""

        def run() -> None:
            try:
                self.publish_all(rate=rate, timeout_s=timeout_s)
            except BaseException as problem:  # noqa: BLE001 - handed to the thread that joins
                self.problem = problem

        thread = threading.Thread(target=run, name=f"publisher {self._client_id}")
        thread.start()
        return thread

    def stop(self) -> None:
        """`publish_all` ends soon, whatever is still open."""
        self._stop.set()

    def _requeue(self) -> None:
        """What was not acknowledged goes first, in the order in which it was sent."""
        self._to_repeat = deque(sorted({*self._in_flight.values(), *self._to_repeat}))
        self._in_flight.clear()
        self._received = b""

    def _pump(self, conn: socket.socket, started: float, rate: float | None, window: int, timeout_s: float) -> None:
        conn.setblocking(True)
        while self.acknowledged_count < len(self._messages) and not self._stop.is_set():
            elapsed = time.monotonic() - started
            if elapsed > timeout_s:
                return
            allowed = len(self._messages) if rate is None else int(rate * elapsed) + 1
            batch = self._take_batch(min(window - len(self._in_flight), 200), allowed)
            if batch:
                conn.sendall(batch)
            readable, _, _ = select.select([conn], [], [], 0 if batch else 0.005)
            if readable:
                data = conn.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                self._take_acknowledgements(data)

    def _take_batch(self, room: int, allowed: int) -> bytes:
        parts: list[bytes] = []
        for _ in range(room):
            if self._to_repeat:
                number = self._to_repeat.popleft()
            elif self._next_message < min(allowed, len(self._messages)):
                number = self._next_message
                self._next_message += 1
            else:
                break
            self._next_packet_id = self._next_packet_id % PACKET_IDS + 1
            self._in_flight[self._next_packet_id] = number
            parts.append(make_publish(*self._messages[number], packet_id=self._next_packet_id))
            self.sent_count += 1
        return b"".join(parts)

    def _take_acknowledgements(self, data: bytes) -> None:
        data = self._received + data
        end = len(data) // 4 * 4
        for at in range(0, end, 4):
            kind, length, packet_id = struct.unpack_from(">BBH", data, at)
            assert (kind, length) == (0x40, 2), f"not a PUBACK: {data[at : at + 4]!r}"
            number = self._in_flight.pop(packet_id)
            if not self.acknowledged[number]:
                self.acknowledged[number] = True
                self.acknowledged_count += 1
        self._received = data[end:]


def publish_all(
    port: int, messages: Sequence[tuple[str, bytes]], *, client_id: str = "test-publisher", timeout_s: float = 60.0
) -> None:
    """Every message is acknowledged by the broker on return.

    Raises
    ------
    TimeoutError
        They were not in time.
    """
    Publisher(port, client_id, messages).publish_all(timeout_s=timeout_s)


def connect(port: int, client_id: str, *, will: tuple[str, bytes] | None = None) -> socket.socket:
    """A connected MQTT 3.1.1 session without pings; `will` is retained and at QoS 1.

    Raises
    ------
    OSError
        The broker is not there or refuses.
    """
    conn = socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT_S)
    try:
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = 0x02 | (0x2C if will else 0)  # clean session; will, QoS 1, retained
        body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", KEEP_ALIVE_S) + _text(client_id)
        if will is not None:
            body += _text(will[0]) + struct.pack(">H", len(will[1])) + will[1]
        conn.sendall(b"\x10" + _length(len(body)) + body)
        answer = b""
        while len(answer) < 4:
            data = conn.recv(4 - len(answer))
            if not data:
                raise ConnectionResetError("no CONNACK")
            answer += data
        if answer[:2] != b"\x20\x02" or answer[3] != 0:
            raise ConnectionRefusedError(f"CONNACK {answer!r}")
    except BaseException:
        conn.close()
        raise
    return conn


def make_publish(topic: str, payload: bytes, *, packet_id: int) -> bytes:
    """One PUBLISH packet at QoS 1."""
    body = _text(topic) + struct.pack(">H", packet_id) + payload
    return bytes([PUBLISH_QOS1]) + _length(len(body)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)
