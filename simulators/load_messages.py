"""The load's messages from prepared templates: only time and number change, at fixed places and of fixed length."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from simulators.puback_socket import encode_publish_head
from simulators.settings import LoadSettings

VARIANTS = 32  # value sets per device, so that no series is flat
TIME_DIGITS = 13
SEQ_DIGITS = 10  # padded with spaces: JSON allows no leading zeros, but white space

_TIME = b"T" * TIME_DIGITS
_SEQ = b"S" * SEQ_DIGITS


@dataclass(frozen=True, slots=True)
class Template:
    """A message in pieces: `head`, packet identifier, then `pieces` with time and number between them, in turns."""

    head: bytes
    pieces: tuple[bytes, ...]  # [text, time, text, seq, text, time, text, seq, text ...] without the times and seqs


class LoadMessages:
    """Message number i is of sender `i % senders`, with seq `i // senders + 1`: gaps and repeats can be told apart."""

    def __init__(self, settings: LoadSettings) -> None:
        if not settings.gateways:
            serials = [settings.serial_format.format(i + 1) for i in range(settings.devices)]
            self.senders = serials
            self._groups = [[serial] for serial in serials]
            topics = [f"forewarn/v1/{serial}/telemetry" for serial in serials]
        else:
            size = settings.devices_per_message
            serials = [settings.serial_format.format(i + 1) for i in range(settings.devices)]
            self._groups = [serials[i : i + size] for i in range(0, len(serials), size)]
            self.senders = [settings.gateway_format.format(i + 1) for i in range(len(self._groups))]
            topics = [f"forewarn/v1/gateway/{name}/telemetry" for name in self.senders]
        self._settings = settings
        self._random = np.random.Generator(np.random.PCG64(settings.seed))
        bodies = [self._make_body(variant, len(self._groups[0])) for variant in range(VARIANTS)]
        self._templates = [
            [self._make_template(topic, group, bodies[variant]) for variant in range(VARIANTS)]
            for topic, group in zip(topics, self._groups, strict=True)
        ]
        self.values_per_message = len(settings.sensors) * len(self._groups[0])

    def _make_body(self, variant: int, devices: int) -> list[str]:
        s = self._settings
        values = self._random.normal(s.centre, s.spread, (devices, len(s.sensors))).round(4)
        return [
            ",".join(f'"{sensor}":{value}' for sensor, value in zip(s.sensors, row, strict=True))
            for row in values.tolist()
        ]

    def _make_template(self, topic: str, serials: list[str], bodies: list[str]) -> Template:
        entries = [
            f'{{"ts":{_TIME.decode()},"seq":{_SEQ.decode()},"values":{{{body}}}}}'
            for _, body in zip(serials, bodies, strict=False)
        ]
        if self._settings.gateways:
            text = ",".join(f'"{serial}":[{entry}]' for serial, entry in zip(serials, entries, strict=True))
            payload = f"{{{text}}}".encode()
        else:
            payload = entries[0].encode()
        pieces: list[bytes] = []
        for part in payload.split(_TIME):
            pieces += part.split(_SEQ)
        return Template(encode_publish_head(topic, len(payload)), tuple(pieces))

    def encode(self, numbers: range | list[int], packet_ids: list[int], times_ms: list[int]) -> bytes:
        """The PUBLISH packets of these messages, one after the other."""
        senders = len(self._templates)
        out: list[bytes] = []
        for number, packet_id, time_ms in zip(numbers, packet_ids, times_ms, strict=True):
            round_number, sender = divmod(number, senders)
            template = self._templates[sender][(round_number * 7 + sender) % VARIANTS]
            time = b"%d" % time_ms
            seq = b"%10d" % (round_number + 1)
            pieces = template.pieces
            out += (template.head, packet_id.to_bytes(2, "big"))
            if len(pieces) == 3:
                out += (pieces[0], time, pieces[1], seq, pieces[2])
            else:
                out.append(_join(pieces, time, seq))
        return b"".join(out)


def _join(pieces: tuple[bytes, ...], time: bytes, seq: bytes) -> bytes:
    parts: list[bytes] = []
    for i, piece in zip(count(), pieces, strict=False):
        parts.append(piece)
        if i < len(pieces) - 1:
            parts.append(time if i % 2 == 0 else seq)
    return b"".join(parts)
