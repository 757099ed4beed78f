"""The installed base, laid out for decoding: what a serial, a sensor and a topic mean, found by one look-up each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from domain.sparkplug import DEVICE_KINDS, NODE_KINDS, MessageKind
from domain.unit_conversion import Conversion

MAX_CACHED = 100_000  # topics: a cache of what strangers send is bounded
NEVER = -(1 << 63)  # before any time
LONGEST_CACHED = 256  # bytes: a topic may have 65,535


class TopicKind(Enum):
    """What a topic, or one part of a message, carries."""

    TELEMETRY = "telemetry"
    FIRMWARE = "firmware"
    EVENT = "event"
    STATUS = "status"
    ATTRIBUTES = "attributes"
    UNKNOWN = "unknown"


class WireFormat(Enum):
    """How what a topic carries is written."""

    JSON = "json"  # Forewarn's own
    SENML_JSON = "senml"
    SENML_CBOR = "senml-cbor"
    SPARKPLUG = "sparkplug"
    THINGSBOARD_TELEMETRY = "thingsboard-telemetry"  # nearly always of the shape of Forewarn's own
    THINGSBOARD_ATTRIBUTES = "thingsboard-attributes"
    THINGSBOARD_CONNECT = "thingsboard-connect"
    THINGSBOARD_DISCONNECT = "thingsboard-disconnect"


@dataclass(frozen=True, slots=True)
class SensorEntry:
    """One series and what its values must be."""

    series_id: int
    physical_min: float
    physical_max: float
    unit: str
    states: Mapping[str, float] = field(default_factory=dict)  # texts that stand for numbers


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device and its series. `shapes` remembers the series of each set of sensors that came together,
    `conversions` how a sensor's values come from another unit than its own, or why they cannot."""

    device_id: int
    serial: str
    shard: int
    sensors: Mapping[str, SensorEntry]
    gateway: str | None = None  # which gateway may speak for it
    installed_us: int | None = None  # nothing that it observed before can be true
    max_messages_s: float = 200.0
    burst_messages: int = 12_000
    shapes: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)
    conversions: dict[tuple[str, str], Conversion | str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """What a topic means. Through a gateway a payload speaks of many devices, each under its serial."""

    kind: TopicKind
    by_gateway: bool
    serial: str | None  # as it stands in the topic
    device: DeviceEntry | None  # None: a gateway's topic, or a serial that nobody has registered
    gateway: str | None = None  # as it stands in the topic; None behind a topic that names none
    format: WireFormat = WireFormat.JSON
    group: str | None = None  # Sparkplug only, as is the verb
    verb: MessageKind | None = None


def is_spoken_for(device: DeviceEntry, gateway: str | None) -> bool:
    """Whether this gateway, or, behind a topic that names none, any gateway may speak for the device. A gateway that is
    a device itself speaks for itself."""
    if gateway is None:
        return device.gateway is not None
    return gateway in (device.gateway, device.serial)


class DeviceTable:
    """Every device of one registry version; immutable but for its caches.

    The arrays are indexed by series id: physical range, shard, position of the device in `device_ids`.
    """

    def __init__(self, devices: Iterable[DeviceEntry], *, version: int, shard_count: int) -> None:
        self.version = version
        self.shard_count = shard_count
        self.devices = {device.serial: device for device in devices}
        self.by_index = list(self.devices.values())
        entries = [(i, d, s) for i, d in enumerate(self.devices.values()) for s in d.sensors.values()]
        size = max((s.series_id for _, _, s in entries), default=0) + 1
        ids = np.fromiter((s.series_id for _, _, s in entries), np.int64, len(entries))
        self.minimum: NDArray[np.float64] = np.full(size, np.inf)
        self.minimum[ids] = [s.physical_min for _, _, s in entries]
        self.maximum: NDArray[np.float64] = np.full(size, -np.inf)
        self.maximum[ids] = [s.physical_max for _, _, s in entries]
        self.shard: NDArray[np.int16] = np.full(size, -1, dtype=np.int16)
        self.shard[ids] = [d.shard for _, d, _ in entries]
        self.device_index: NDArray[np.int32] = np.full(size, -1, dtype=np.int32)
        self.device_index[ids] = [i for i, _, _ in entries]
        self.device_ids: NDArray[np.int64] = np.array([d.device_id for d in self.devices.values()], dtype=np.int64)
        self.position = {serial: i for i, serial in enumerate(self.devices)}
        self.installed_us: NDArray[np.int64] = np.array(
            [NEVER if d.installed_us is None else d.installed_us for d in self.by_index], dtype=np.int64
        )
        self.serial_by_device = {d.device_id: d.serial for d in self.devices.values()}
        self.shard_by_device = {d.device_id: d.shard for d in self.devices.values()}
        self.routes: dict[bytes, Route] = {}

    @property
    def no_device(self) -> int:
        """The position, after all others, that stands for no device."""
        return len(self.by_index)

    def find_position(self, serial: str | None) -> int:
        """Where this device stands in `by_index` and `device_ids`; `no_device` when there is none."""
        return len(self.by_index) if serial is None else self.position.get(serial, len(self.by_index))

    @property
    def series_size(self) -> int:
        """One more than the highest series id."""
        return int(self.minimum.shape[0])

    def find_route(self, topic: bytes) -> Route:
        """What this topic means; never fails."""
        route = self.routes.get(topic)
        if route is None:
            route = self._parse_topic(topic.decode("utf-8", "replace").split("/"))
            if len(self.routes) < MAX_CACHED and len(topic) <= LONGEST_CACHED:
                self.routes[topic] = route
        return route

    def _parse_topic(self, parts: list[str]) -> Route:
        match parts:
            case ["v1", "gateway", name] if name in _THINGSBOARD:
                kind, wire_format = _THINGSBOARD[name]
                return Route(kind, True, None, None, format=wire_format)
            case ["forewarn", "v1", "gateway", gateway, name] if name in _NAMES:
                kind, wire_format = _NAMES[name]
                return Route(kind, True, None, None, gateway, wire_format)
            case ["forewarn", "v1", serial, name] if name in _NAMES:
                kind, wire_format = _NAMES[name]
                return Route(kind, False, serial, self.devices.get(serial), format=wire_format)
            case ["spBv1.0", group, verb, edge] if verb in NODE_KINDS:
                return self._route_sparkplug(group, MessageKind(verb), edge, edge)
            case ["spBv1.0", group, verb, edge, serial] if verb in DEVICE_KINDS:
                return self._route_sparkplug(group, MessageKind(verb), edge, serial)
        return Route(TopicKind.UNKNOWN, False, None, None)

    def _route_sparkplug(self, group: str, verb: MessageKind, edge: str, serial: str) -> Route:
        device = self.devices.get(serial)
        # The node's id is a serial only if there is such a device.
        named = None if device is None and verb in NODE_KINDS else serial
        return Route(TopicKind.TELEMETRY, True, named, device, edge, WireFormat.SPARKPLUG, group, verb)

    def find_series(self, series_id: int) -> tuple[DeviceEntry, str]:
        """The device of a series of this table, and the sensor's key."""
        device = self.by_index[int(self.device_index[series_id])]
        return device, next(key for key, entry in device.sensors.items() if entry.series_id == series_id)

    def find_shape(self, device: DeviceEntry, sensors: tuple[str, ...]) -> tuple[int, ...] | None:
        """The series of these sensors in this order, or None when the device lacks one of them."""
        shape = device.shapes.get(sensors)
        if shape is not None:
            return shape
        found = tuple(entry.series_id for name in sensors if (entry := device.sensors.get(name)) is not None)
        if len(found) != len(sensors):
            return None
        if len(device.shapes) < 64:
            device.shapes[sensors] = found
        return found


# The last word of a topic of ours.
_NAMES: dict[str, tuple[TopicKind, WireFormat]] = {
    "telemetry": (TopicKind.TELEMETRY, WireFormat.JSON),
    "senml": (TopicKind.TELEMETRY, WireFormat.SENML_JSON),
    "senml-cbor": (TopicKind.TELEMETRY, WireFormat.SENML_CBOR),
    "firmware": (TopicKind.FIRMWARE, WireFormat.JSON),
    "event": (TopicKind.EVENT, WireFormat.JSON),
    "status": (TopicKind.STATUS, WireFormat.JSON),
    "attributes": (TopicKind.ATTRIBUTES, WireFormat.JSON),
}
# The last word of a topic of ThingsBoard's gateways.
_THINGSBOARD: dict[str, tuple[TopicKind, WireFormat]] = {
    "telemetry": (TopicKind.TELEMETRY, WireFormat.THINGSBOARD_TELEMETRY),
    "attributes": (TopicKind.ATTRIBUTES, WireFormat.THINGSBOARD_ATTRIBUTES),
    "connect": (TopicKind.STATUS, WireFormat.THINGSBOARD_CONNECT),
    "disconnect": (TopicKind.STATUS, WireFormat.THINGSBOARD_DISCONNECT),
}
