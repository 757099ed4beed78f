"""The few packets of MQTT 3.1.1 that the gate before the embedded broker must understand: CONNECT, PUBLISH, SUBSCRIBE.

Source: MQTT 3.1.1 (OASIS, 2014), 2.2, 3.1, 3.2, 3.3, 3.8.
"""

from dataclasses import dataclass, field

from domain.counting import say_count

CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8
BAD_PROTOCOL = b"\x20\x02\x00\x01"
BAD_ACCOUNT = b"\x20\x02\x00\x05"
_WILL, _PASSWORD, _USERNAME = 0x04, 0x40, 0x80
_HEAD = b"\x00\x04MQTT\x04"


class MalformedPacketError(Exception):
    """What came is no MQTT 3.1.1, or larger than is taken."""


class OtherProtocolError(MalformedPacketError):
    """A CONNECT of another version of MQTT."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What a client says of itself."""

    client_id: str
    username: str
    password: str = field(repr=False)
    will_topic: str | None
    flags: int
    keep_alive: bytes
    will: bytes  # topic and message as they came


class PacketCutter:
    """Cuts a stream of bytes into packets; `limit` bounds the length of one."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are whole by now.

        Raises
        ------
        MalformedPacketError
            The stream can be no MQTT, or announces a packet beyond the limit.
        """
        self._buffer += data
        packets, begin = [], 0
        while (end := self._find_end(begin)) is not None and end <= len(self._buffer):
            packets.append(bytes(self._buffer[begin:end]))
            begin = end
        del self._buffer[:begin]
        return packets

    def _find_end(self, begin: int) -> int | None:
        length, shift = 0, 0
        for place in range(begin + 1, min(begin + 5, len(self._buffer))):
            digit = self._buffer[place]
            length |= (digit & 0x7F) << shift
            if not digit & 0x80:
                if length > self.limit:
                    raise MalformedPacketError(f"a packet of {say_count(length, 'byte')}")
                return place + 1 + length
            shift += 7
        if len(self._buffer) >= begin + 5:
            raise MalformedPacketError("a length without an end")
        return None


def find_kind(packet: bytes) -> int:
    """The type of a packet, as in table 2.1."""
    return packet[0] >> 4


def parse_connect(packet: bytes) -> Connect:
    """What a CONNECT says; a user name or password that is not there is empty.

    Raises
    ------
    OtherProtocolError, MalformedPacketError
        It is another version's, or none.
    """
    if packet[0] != CONNECT << 4:
        raise MalformedPacketError("no CONNECT at the beginning")
    body = _cut_head(packet)
    if len(body) < 10 or body[2:6] != b"MQTT":
        raise MalformedPacketError("no CONNECT of MQTT 3.1.1 or 5")
    if body[:7] != _HEAD:
        raise OtherProtocolError("another version than 3.1.1")
    flags, keep_alive = body[7], body[8:10]
    client_id, place = _read_text(body, 10)
    will_begin, will_topic = place, None
    if flags & _WILL:
        will_topic, place = _read_text(body, place)
        _, place = _read_bytes(body, place)
    will = body[will_begin:place]
    username = password = ""
    if flags & _USERNAME:
        username, place = _read_text(body, place)
    if flags & _PASSWORD:
        password, place = _read_text(body, place)
    if place != len(body) or flags & 0x01:
        raise MalformedPacketError("a CONNECT that does not end where it should")
    return Connect(client_id, username, password, will_topic, flags, keep_alive, will)


def encode_connect(connect: Connect, client_id: str) -> bytes:
    """The same CONNECT under that client id and without an account."""
    flags = connect.flags & ~(_USERNAME | _PASSWORD)
    name = client_id.encode()
    body = _HEAD + bytes((flags,)) + connect.keep_alive + len(name).to_bytes(2, "big") + name + connect.will
    return bytes((CONNECT << 4,)) + _encode_length(len(body)) + body


def parse_topic(packet: bytes) -> str:
    """The topic of a PUBLISH."""
    topic, _ = _read_text(_cut_head(packet), 0)
    return topic


def parse_filters(packet: bytes) -> list[str]:
    """The topic filters of a SUBSCRIBE, one at least."""
    body, place, filters = _cut_head(packet), 2, []
    while place < len(body):
        topic_filter, place = _read_text(body, place)
        filters.append(topic_filter)
        place += 1  # the QoS that it asks for
    if not filters or place != len(body):
        raise MalformedPacketError("a SUBSCRIBE that does not end where it should")
    return filters


def _cut_head(packet: bytes) -> bytes:
    place = 1
    while packet[place] & 0x80:
        place += 1
    return packet[place + 1 :]


def _encode_length(length: int) -> bytes:
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(encoded)


def _read_bytes(body: bytes, place: int) -> tuple[bytes, int]:
    end = place + 2 + int.from_bytes(body[place : place + 2], "big")
    if place + 2 > len(body) or end > len(body):
        raise MalformedPacketError("a text that is cut off")
    return body[place + 2 : end], end


def _read_text(body: bytes, place: int) -> tuple[str, int]:
    raw, end = _read_bytes(body, place)
    try:
        return raw.decode(), end
    except UnicodeDecodeError as error:
        raise MalformedPacketError("a text that is no UTF-8") from error
