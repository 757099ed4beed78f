"""All edge nodes of one ingest process, and a decoder that changes none of them until its batch is committed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from domain.reading import RejectionReason
from domain.sparkplug import DEVICE_KINDS
from ingest.decode import Problem
from ingest.device_table import DeviceTable, Route
from ingest.formats.contract import Decoder, Part
from ingest.sparkplug.edge import EdgeState, build_scope
from ingest.sparkplug.machine import EdgeMessage, read_by_name, step
from ingest.sparkplug.meaning import declare
from ingest.sparkplug.parts import to_parts
from ingest.sparkplug.payload import Payload, decode_payload

MAX_EDGES = 20_000
REBIRTHS_A_SECOND = 20  # asked for at most, of all edges together: every answer is all of an edge's births

EdgeKey = tuple[str, str]  # group and edge


@dataclass(frozen=True, slots=True)
class Wish:
    """An edge node is to send its births again."""

    group: str
    edge: str
    why: str


@dataclass(frozen=True, slots=True)
class EdgeChanges:
    """What the messages of a batch made of their edges; it counts from the commit on."""

    states: Mapping[EdgeKey, EdgeState]
    wishes: tuple[Wish, ...]
    spent: tuple[int, int]  # the second that wishes were last uttered in, and how many


class Edges:
    """What is known of every edge node: as committed."""

    def __init__(self) -> None:
        self._states: dict[EdgeKey, EdgeState] = {}
        self._spent = (0, 0)

    def resume(self, states: Iterable[EdgeState]) -> None:
        """Goes on where these states are, whatever was known before."""
        self._states = {(state.group, state.edge): state for state in states}

    def begin(self, table: DeviceTable, max_payload: int, max_metrics: int) -> "EdgeReader":
        """A decoder for one batch, which starts from what is committed."""
        return EdgeReader(self._states, self._spent, table, max_payload, max_metrics)

    def find(self, group: str, edge: str) -> EdgeState | None:
        """One edge node as committed."""
        return self._states.get((group, edge))

    def adopt(self, changes: EdgeChanges) -> None:
        """The batch is committed: so it is."""
        self._states.update(changes.states)
        self._spent = changes.spent


class EdgeReader:
    """Decodes the Sparkplug messages of one batch in their order. Called again for the same batch, another one is
    needed."""

    def __init__(
        self,
        states: Mapping[EdgeKey, EdgeState],
        spent: tuple[int, int],
        table: DeviceTable,
        max_payload: int,
        max_metrics: int,
    ) -> None:
        self._committed = states
        self._changed: dict[EdgeKey, EdgeState] = {}
        self._wishes: list[Wish] = []
        self._spent = spent
        self._table = table
        self._max_payload = max_payload
        self._max_metrics = max_metrics

    def __call__(self, payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
        """The parts of one payload; the state of its edge moves on."""
        message = _decode(payload, route, received_us, self._max_payload, self._max_metrics)
        if isinstance(message, Problem):
            yield message
            return
        key = (route.group or "", route.gateway or "")
        before = self._changed.get(key) or self._committed.get(key)
        if before is None:
            if len(self._committed) + len(self._changed) >= MAX_EDGES:
                detail = f"there are {MAX_EDGES:,} edge nodes already"
                yield Problem(RejectionReason.UNSUPPORTED, None, detail, weight=max(1, len(message.payload.metrics)))
                return
            before = EdgeState(*key)
        taken = step(before, message)
        state = taken.state
        if taken.wish is not None and not self._utter(Wish(*key, taken.wish), received_us):
            state = replace(state, asked_us=before.asked_us, asks=before.asks)
        self._changed[key] = state
        yield from to_parts(taken.parts, route, state, self._table)

    def find_changes(self) -> EdgeChanges:
        """What all messages so far made of their edges."""
        return EdgeChanges(self._changed, tuple(self._wishes), self._spent)

    def _utter(self, wish: Wish, now_us: int) -> bool:
        second, count = self._spent
        if second != now_us // 1_000_000:
            second, count = now_us // 1_000_000, 0
        if count >= REBIRTHS_A_SECOND:
            return False
        self._spent = (second, count + 1)
        self._wishes.append(wish)
        return True


def decode_alone(table: DeviceTable, max_payload: int, max_metrics: int) -> Decoder:
    """A decoder that knows no edge, for refused messages that are looked at again: births are read, data are not."""

    def decode(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
        message = _decode(payload, route, received_us, max_payload, max_metrics)
        if isinstance(message, Problem):
            yield message
        else:
            born = build_scope(declare(message.payload.metrics), 0, None, received_us)
            devices = {} if message.device is None else {message.device: born}
            state = EdgeState(route.group or "", route.gateway or "", node=born, devices=devices)
            yield from to_parts(read_by_name(message), route, state, table)

    return decode


def _decode(
    payload: bytes, route: Route, received_us: int, max_payload: int, max_metrics: int
) -> EdgeMessage | Problem:
    decoded: Payload | Problem = decode_payload(payload, max_payload, max_metrics)
    if isinstance(decoded, Problem):
        return decoded
    assert route.verb is not None
    device = route.serial if route.verb in DEVICE_KINDS else None
    named = f"{route.verb}/{device or ''}/".encode()
    digest = blake2b(named + payload, digest_size=8).digest()
    return EdgeMessage(route.verb, device, decoded, digest, received_us)
