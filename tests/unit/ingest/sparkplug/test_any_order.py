"""Whatever is lost, repeated or overtaken on the way from an edge node: what is stored is what it meant."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.sparkplug import SEQUENCE, DataType, MessageKind
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.sparkplug.edge import EdgeState, is_next
from ingest.sparkplug.edges import Edges
from ingest.sparkplug.machine import EdgeMessage, step
from ingest.sparkplug.meaning import Reading
from ingest.sparkplug.payload import Metric, Payload, decode_payload

SENSORS = ("flow", "pressure", "speed")
DEVICES = ("a", "b")
NOW_US = 1_795_305_600_000_000


@dataclass(frozen=True)
class Sent:
    """A message, and the birth of its device that was the last one when it was sent."""

    message: EdgeMessage
    birth: int


@dataclass
class Edge:
    """An edge node that changes aliases and units with every birth. Every value is sent once, so that it tells which
    metric it is of."""

    chance: random.Random
    sent: list[Sent] = field(default_factory=list)
    meant: dict[float, tuple[str, str, str]] = field(default_factory=dict)
    _seq: int = 0
    _bd_seq: int = 0
    _births: int = 0
    _aliases: dict[str, dict[str, int]] = field(default_factory=dict)
    _units: dict[str, str] = field(default_factory=dict)
    _birth_of: dict[str, int] = field(default_factory=dict)

    def bear(self, *, is_new_session: bool) -> None:
        self._bd_seq = (self._bd_seq + is_new_session) % SEQUENCE
        self._births += 1
        self._seq = 0
        bd_seq = Metric(
            "bdSeq", None, None, DataType.INT64, False, False, False, "long_value", self._bd_seq, None, None
        )
        self._send(MessageKind.NBIRTH, None, (bd_seq,))
        for device in DEVICES:
            self.bear_device(device, is_alone=False)

    def bear_device(self, device: str, *, is_alone: bool = True) -> None:
        if is_alone:
            self._births += 1
            self._seq = (self._seq + 1) % SEQUENCE
        else:
            self._seq += 1
        numbers = self.chance.sample(range(6), len(SENSORS))
        self._aliases[device] = dict(zip(SENSORS, numbers, strict=True))
        self._units[device] = self.chance.choice(("kPa", "bar"))
        self._birth_of[device] = self._births
        self._send(MessageKind.DBIRTH, device, tuple(self._measure(device, name, True) for name in SENSORS))

    def report(self, device: str) -> None:
        self._seq = (self._seq + 1) % SEQUENCE
        names = self.chance.sample(SENSORS, self.chance.randint(1, len(SENSORS)))
        self._send(MessageKind.DDATA, device, tuple(self._measure(device, name, False) for name in names))

    def _measure(self, device: str, name: str, is_birth: bool) -> Metric:
        value = float(len(self.meant))
        unit = self._units[device]
        self.meant[value] = (device, name, unit)
        shown, declared = (name, unit) if is_birth else (None, None)
        kind = DataType.DOUBLE if is_birth else None
        alias = self._aliases[device][name]
        return Metric(shown, alias, None, kind, False, False, False, "double_value", value, declared, None)

    def _send(self, kind: MessageKind, device: str | None, metrics: tuple[Metric, ...]) -> None:
        number = len(self.sent)
        payload = Payload(NOW_US // 1000 + number, self._seq, metrics)
        message = EdgeMessage(kind, device, payload, number.to_bytes(8), NOW_US + number)
        self.sent.append(Sent(message, self._birth_of.get(device or "", 0)))


@st.composite
def conversations(draw: st.DrawFn) -> Edge:
    edge = Edge(random.Random(draw(st.integers(0, 2**32))))
    edge.bear(is_new_session=True)
    for action in draw(st.lists(st.sampled_from("rrrrrrrrbsd"), max_size=60)):
        if action == "r":
            edge.report(edge.chance.choice(DEVICES))
        elif action == "d":
            edge.bear_device(edge.chance.choice(DEVICES))
        else:
            edge.bear(is_new_session=action == "s")
    return edge


@settings(max_examples=150, deadline=None)
@given(conversations())
def test_nothing_lost_nothing_refused(edge: Edge) -> None:
    state = EdgeState("g", "e")
    found: list[float] = []
    for sent in edge.sent:
        for message in (sent.message, sent.message):  # each comes twice
            taken = step(state, message)
            state = taken.state
            assert taken.wish is None
            for part in taken.parts:
                if isinstance(part, Reading):
                    assert isinstance(part.value, float)
                    assert (part.device, part.name, part.unit) == edge.meant[part.value]
                    found.append(part.value)
    assert sorted(found) == sorted(edge.meant)


@settings(max_examples=400, deadline=None)
@given(conversations(), st.randoms(use_true_random=False), st.sampled_from([0.05, 0.3, 0.7]))
def test_what_is_taken_is_what_was_meant(edge: Edge, chance: random.Random, share: float) -> None:
    way = [sent for sent in edge.sent if chance.random() > share]
    way += [sent for sent in way if chance.random() < share / 2]  # repeated, later
    for i in range(len(way) - 1):
        if chance.random() < share / 4:
            way[i], way[i + 1] = way[i + 1], way[i]
    state = EdgeState("g", "e")
    believed: dict[str, int] = {}  # by device, the birth that was delivered last
    newest_birth = 0  # of the node
    unbroken: dict[str, bool] = {}  # by device, nothing can be seen to be missing since then
    for sent in way:
        message = sent.message
        is_repeat = message.digest in state.recent
        follows = is_next(state.seq, message.payload.seq or 0)
        if not is_repeat and message.kind is MessageKind.NBIRTH:
            unbroken = {}
            newest_birth = sent.message.received_us
        elif not is_repeat and not follows and message.received_us > newest_birth:
            # What was sent before the node's last birth may come late and shows nothing.
            unbroken = dict.fromkeys(unbroken, False)
        taken = step(state, message)
        state = taken.state
        if not is_repeat and message.kind is MessageKind.DBIRTH and taken.parts:
            believed[message.device or ""] = sent.birth
            unbroken[message.device or ""] = True
        for part in taken.parts:
            if not isinstance(part, Reading):
                continue
            assert isinstance(part.value, float)
            meant = edge.meant[part.value]
            device = message.device or ""
            if message.kind is MessageKind.DDATA and believed.get(device) != sent.birth:
                # The one thing that no host can see: a birth was lost, and the numbers go on as if nothing had been.
                assert unbroken.get(device), "an alias was believed although something was missing"
                continue
            assert (part.device, part.name, part.unit) == meant


TABLE = DeviceTable(
    [DeviceEntry(1, "a", 0, {name: SensorEntry(i + 1, 0, 1e9, "kPa") for i, name in enumerate(SENSORS)}, "e")],
    version=1,
    shard_count=1,
)
TOPICS = [
    b"spBv1.0/g/NBIRTH/e",
    b"spBv1.0/g/NDATA/e",
    b"spBv1.0/g/NDEATH/e",
    b"spBv1.0/g/DBIRTH/e/a",
    b"spBv1.0/g/DDATA/e/a",
    b"spBv1.0/g/DDEATH/e/a",
    b"spBv1.0/g/DBIRTH/e/stranger",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TOPICS), st.binary(max_size=60)), max_size=8))
def test_any_bytes_give_parts_and_no_exception(messages: list[tuple[bytes, bytes]]) -> None:
    reader = Edges().begin(TABLE, 1_000, 100)
    for number, (topic, payload) in enumerate(messages):
        list(reader(payload, TABLE.find_route(topic), NOW_US + number))
    reader.find_changes()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_payload_or_a_problem(payload: bytes) -> None:
    decode_payload(payload, 1_000, 10)
    decode_payload(b"\x22\x12SPBV1.0_COMPRESSED\x2a" + bytes([len(payload)]) + payload, 1_000, 10)
