"""A minimal MQTT 3.1.1 publisher at QoS 1 over a plain socket, for loads that paho could not send.

paho takes locks and builds an object for each publish; a load generator built on it would measure itself instead of
the service. This one knows four packets only, CONNECT, CONNACK, PUBLISH and PUBACK, and keeps the promise that a test
of loss needs: a message counts as acknowledged when its own PUBACK arrived, and never else.

Source: MQTT 3.1.1 (OASIS, 2014), sections 2.2.3, 3.1, 3.2, 3.3, 3.4 and 4.4.
"""

import contextlib
import select
import socket
import struct

import numpy as np
from numpy.typing import NDArray

from domain.broker_address import BrokerAddress

MAX_WINDOW = 60_000
CONNECT_TIMEOUT_S = 5.0
KEEP_ALIVE_S = 0xFFFF  # 0 would be none, but rumqttd refuses it


class BrokerRefusedError(ConnectionError):
    """The broker does not accept the connection."""


def encode_remaining_length(length: int) -> bytes:
    """MQTT's variable-length integer (2.2.3)."""
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(encoded)


def encode_connect(address: BrokerAddress, client_id: str) -> bytes:
    """A CONNECT packet with a clean session and the longest keep-alive, so that a paused load is not thrown out."""
    flags = 0x02
    payload = _encode_text(client_id)
    if address.username is not None:
        flags |= 0x80
        payload += _encode_text(address.username)
        if address.password is not None:
            flags |= 0x40
            payload += _encode_text(address.password)
    body = _encode_text("MQTT") + bytes((4, flags)) + struct.pack(">H", KEEP_ALIVE_S) + payload
    return b"\x10" + encode_remaining_length(len(body)) + body


def encode_publish_head(topic: str, payload_length: int, duplicate: bool = False) -> bytes:
    """A QoS 1 PUBLISH up to its packet identifier; the identifier (2 bytes) and the payload follow."""
    name = _encode_text(topic)
    first = 0x3A if duplicate else 0x32
    return bytes((first,)) + encode_remaining_length(len(name) + 2 + payload_length) + name


def _encode_text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


class PubackSocket:
    """A connection that sends prepared bytes and reads back which packet identifiers were acknowledged."""

    def __init__(self, address: BrokerAddress, client_id: str) -> None:
        """Connects.

        Raises
        ------
        BrokerRefusedError
            The broker answered, but not with an acceptance.
        OSError
            There is no connection.
        """
        self._socket = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S)
        self._buffer = b""
        self._unsent = memoryview(b"")
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(encode_connect(address, client_id))
            answer = b""
            while len(answer) < 4:
                if not (part := self._socket.recv(4 - len(answer))):
                    raise BrokerRefusedError("the broker closed the connection")
                answer += part
            if answer[:2] != b"\x20\x02" or answer[3] != 0:
                raise BrokerRefusedError(f"the broker answered {answer.hex()}")
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return len(self._unsent) > 0

    def send(self, packets: bytes) -> None:
        """Begins to send; only when nothing is unsent."""
        self._unsent = memoryview(packets)
        self.push()

    def push(self) -> None:
        """Sends on, as far as the socket takes it without waiting."""
        with contextlib.suppress(BlockingIOError):
            while len(self._unsent):
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def read_acknowledged(self, wait_s: float) -> NDArray[np.int64]:
        """The packet identifiers that were acknowledged; waits up to `wait_s` for the first, or for room to send."""
        write = [self._socket] if self.has_unsent else []
        readable, writable, _ = select.select([self._socket], write, [], max(wait_s, 0.0))
        if writable:
            self.push()
        if not readable:
            return np.empty(0, dtype=np.int64)
        received = self._socket.recv(1 << 18)
        if not received:
            raise ConnectionResetError("the broker closed the connection")
        buffer = self._buffer + received
        whole = len(buffer) // 4 * 4  # after CONNACK, a publisher gets PUBACKs only: 0x40 0x02 and the identifier
        self._buffer = buffer[whole:]
        packets = np.frombuffer(buffer, dtype=np.uint8, count=whole).reshape(-1, 4)
        if not ((packets[:, 0] == 0x40) & (packets[:, 1] == 0x02)).all():
            raise BrokerRefusedError("something other than a PUBACK arrived")
        return packets[:, 2].astype(np.int64) << 8 | packets[:, 3].astype(np.int64)

    def close(self, farewell: bool = True) -> None:
        """Closes; with a DISCONNECT unless the connection is lost anyway."""
        if farewell:
            with contextlib.suppress(OSError):
                self._socket.sendall(b"\xe0\x00")
        self._socket.close()
