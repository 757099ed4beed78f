"""A Sparkplug edge node: what it publishes when. Pure but for its memory; `simulators.sparkplug_edge` connects it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.sparkplug import BIRTH_DEATH, REBIRTH, SEQUENCE, DataType, MessageKind, find_topic
from simulators.sparkplug_payload import Metric, encode_payload

HISTORY_ENTRIES = 50  # readings of a device that are sent later stand in one message, so many at a time


@dataclass(frozen=True, slots=True)
class Publication:
    """One MQTT message of an edge node."""

    topic: str
    payload: bytes
    values: int = 0


@dataclass(frozen=True, slots=True)
class EdgeDevice:
    """One device behind the node: the names of its metrics and, where it says so, their units."""

    serial: str
    sensors: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    serial: str
    time_ms: int
    values: Mapping[str, float]


class SparkplugNode:
    """An edge node with its devices. Sequence numbers, aliases and births follow the specification; what is reported
    while it is offline is kept and sent as historical.

    Parameters
    ----------
    first_bd_seq
        A node remembers the number of its last session over a restart; this one is told.
    capacity
        Readings kept while offline; then the oldest is lost, and counted.
    """

    def __init__(
        self, group: str, edge: str, devices: list[EdgeDevice], *, first_bd_seq: int = 0, capacity: int = 50_000
    ) -> None:
        self.group = group
        self.edge = edge
        self.devices = {device.serial: device for device in devices}
        self.lost = 0
        self.is_born = False
        self.alive = set(self.devices)
        self._next_bd_seq = first_bd_seq % SEQUENCE
        self._bd_seq = first_bd_seq % SEQUENCE
        self._seq = 0
        self._aliases: dict[tuple[str, str], int] = {}
        self._latest: dict[str, _Kept] = {}
        self._kept: deque[_Kept] = deque()
        self._capacity = capacity

    @property
    def waiting(self) -> int:
        """Readings that are kept to be sent later."""
        return len(self._kept)

    @property
    def command_topic(self) -> str:
        """Where commands to this node come in."""
        return find_topic(self.group, "NCMD", self.edge)

    def begin_session(self) -> Publication:
        """The will of the connection that is about to be made; its birth has the same number."""
        self.is_born = False
        self._bd_seq = self._next_bd_seq
        self._next_bd_seq = (self._next_bd_seq + 1) % SEQUENCE
        return self._make_death()

    def _make_death(self) -> Publication:
        metric = Metric(DataType.INT64, self._bd_seq, name=BIRTH_DEATH)
        return Publication(find_topic(self.group, MessageKind.NDEATH, self.edge), encode_payload(None, None, [metric]))

    def end_session(self) -> Publication:
        """What has to be published before a farewell."""
        self.is_born = False
        return self._make_death()

    def bear(self, time_ms: int) -> list[Publication]:
        """All births, as after a new connection and when they are asked for."""
        self._seq = 0
        self.is_born = True
        control = [
            Metric(DataType.INT64, self._bd_seq, name=BIRTH_DEATH, time_ms=time_ms),
            Metric(DataType.BOOLEAN, False, name=REBIRTH, time_ms=time_ms),
        ]
        births = [self._publish(MessageKind.NBIRTH, None, time_ms, control, is_first=True)]
        self._aliases = {}
        births += [self._bear_device(serial, time_ms) for serial in self.devices if serial in self.alive]
        return births

    def bear_device(self, serial: str, time_ms: int) -> Publication:
        """The birth of one device that came while the node was there."""
        self.alive.add(serial)
        return self._bear_device(serial, time_ms)

    def _bear_device(self, serial: str, time_ms: int) -> Publication:
        device = self.devices[serial]
        latest = self._latest.get(serial)
        metrics = []
        for sensor in device.sensors:
            alias = self._aliases.setdefault((serial, sensor), len(self._aliases) + 1)
            metrics.append(
                Metric(
                    DataType.DOUBLE,
                    None if latest is None else latest.values.get(sensor),
                    name=sensor,
                    alias=alias,
                    time_ms=time_ms if latest is None else latest.time_ms,
                    unit=device.units.get(sensor),
                )
            )
        return self._publish(MessageKind.DBIRTH, serial, time_ms, metrics)

    def lose_device(self, serial: str, time_ms: int) -> Publication:
        """The death of one device while the node goes on."""
        self.alive.discard(serial)
        return self._publish(MessageKind.DDEATH, serial, time_ms, [])

    def report(self, serial: str, time_ms: int, values: Mapping[str, float], sent_ms: int) -> Publication | None:
        """The readings of one device at one time, sent at another; None for a dead one, and while the node is offline:
        then they are kept."""
        if serial not in self.alive:
            return None
        kept = _Kept(serial, time_ms, values)
        if not self.is_born:
            if len(self._kept) >= self._capacity:
                self._kept.popleft()
                self.lost += 1
            self._kept.append(kept)
            return None
        self._latest[serial] = kept
        return self._publish(MessageKind.DDATA, serial, sent_ms, self._to_metrics(kept))

    def take_history(self, time_ms: int) -> Publication | None:
        """A message of what was kept, the oldest of one device first; None when nothing is, or the node is not born."""
        serial = next((kept.serial for kept in self._kept if kept.serial in self.alive), None)
        if serial is None or not self.is_born:
            return None
        taken: list[_Kept] = []
        left: deque[_Kept] = deque()
        for kept in self._kept:
            (taken if kept.serial == serial and len(taken) < HISTORY_ENTRIES else left).append(kept)
        self._kept = left
        metrics = [metric for kept in taken for metric in self._to_metrics(kept, is_historical=True)]
        return self._publish(MessageKind.DDATA, serial, time_ms, metrics)

    def _to_metrics(self, kept: _Kept, *, is_historical: bool = False) -> list[Metric]:
        return [
            Metric(
                DataType.DOUBLE,
                value,
                alias=self._aliases[kept.serial, sensor],
                time_ms=kept.time_ms,
                is_historical=is_historical,
            )
            for sensor, value in kept.values.items()
        ]

    def _publish(
        self, kind: MessageKind, serial: str | None, time_ms: int, metrics: list[Metric], *, is_first: bool = False
    ) -> Publication:
        self._seq = 0 if is_first else (self._seq + 1) % SEQUENCE
        values = sum(metric.value is not None for metric in metrics) if serial is not None else 0
        topic = find_topic(self.group, kind, self.edge, serial)
        return Publication(topic, encode_payload(time_ms, self._seq, metrics), values)
