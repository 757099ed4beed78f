"""One PUBLISH as ingest sees it, apart from the client that received it."""

from typing import NamedTuple


class Message(NamedTuple):
    """One PUBLISH as it came. `packet_id` is 0 for QoS 0, which nobody acknowledges."""

    topic: bytes
    payload: bytes
    packet_id: int
    header: int  # as the first byte of the packet: DUP 8, QoS 6, RETAIN 1
    size: int  # of the whole payload, of which `payload` is only the beginning when it was too large
    content_type: str = ""  # as an MQTT 5 publisher may say; nothing depends on it being said
