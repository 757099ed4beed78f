"""The state machine of one edge node: a message makes another state and tells what it meant. Pure and total.

What is stored must be what the edge meant, whatever was lost, repeated or overtaken on the way. So an alias, and the
type and unit of a metric, are believed only while nothing can have come between its birth and now: a gap in `seq` may
have hidden another birth. After a gap data are refused, and a rebirth is asked for.

Source: Eclipse Sparkplug Specification 3.0.0, chapter 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.reading import RejectionReason
from domain.sparkplug import BIRTH_DEATH, SEQUENCE, MessageKind
from ingest.decode import Problem, shorten
from ingest.sparkplug.edge import REMEMBERED, EdgeState, Scope, build_scope, is_behind, is_next
from ingest.sparkplug.meaning import AllLost, Meaning, Presence, declare, read_metric
from ingest.sparkplug.payload import Metric, Payload

FIRST_WAIT_US = 10_000_000  # from one request for a rebirth to the next, twice as long each time ...
LAST_WAIT_US = 300_000_000  # ... up to this
MAX_DEVICES = 10_000  # of one edge
MAX_BD_SEQ = (1 << 63) - 1  # it counts to 255, but who counts further is understood


@dataclass(frozen=True, slots=True)
class EdgeMessage:
    """One message of an edge, decoded."""

    kind: MessageKind
    device: str | None
    payload: Payload
    digest: bytes  # by which it is known when it is repeated
    received_us: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a message made of an edge, what it meant in its order, and why a rebirth is to be asked for, if it is."""

    state: EdgeState
    parts: tuple[Meaning, ...]
    wish: str | None = None


def step(state: EdgeState, message: EdgeMessage) -> Step:
    """The next state. A message that was taken before changes nothing and means nothing."""
    if message.kind is MessageKind.NDEATH:
        return _die(state, message)
    # A birth without a time looks as the one before it, and is none that was taken.
    if message.digest in state.recent and message.payload.timestamp is not None:
        return Step(state, ())
    state = replace(state, recent=(*state.recent[1 - REMEMBERED :], message.digest))
    seq = message.payload.seq
    if seq is None or seq >= SEQUENCE:
        wrong = "is missing" if seq is None else f"must be 0 to 255, not {seq}"
        return Step(state, (_refuse(message, RejectionReason.NOT_SPARKPLUG, wrong, "seq"),))
    if message.kind is MessageKind.NBIRTH:
        return _bear_node(state, message, seq)
    if not state.is_alive:
        return _ask(state, message, "the edge node has not been born, as far as is known here")
    return _go_on(state, message, seq)


def _bear_node(state: EdgeState, message: EdgeMessage, seq: int) -> Step:
    payload = message.payload
    bd_seq = _find_bd_seq(payload)
    if state.node is not None and bd_seq == state.former_bd_seq and _is_older(payload.timestamp, state.node):
        # That of the session before this one, overtaken by this one's.
        return Step(state, (_refuse(message, RejectionReason.NO_BIRTH, "an older birth than the last one"),))
    epoch = state.epoch + 1
    born = replace(
        state,
        epoch=epoch,
        bd_seq=bd_seq,
        former_bd_seq=state.former_bd_seq if bd_seq == state.bd_seq else state.bd_seq,
        seq=seq,
        births_due=True,
        node=build_scope(declare(payload.metrics), epoch, payload.timestamp, message.received_us),
    )
    return Step(born, (Presence(None, True), *_read_birth(message)))


def _die(state: EdgeState, message: EdgeMessage) -> Step:
    bd_seq = _find_bd_seq(message.payload)
    if bd_seq is None:
        return Step(state, (_refuse(message, RejectionReason.NOT_SPARKPLUG, "is missing", BIRTH_DEATH),))
    if not state.is_alive:
        # One that never was alive here may well have been, without us: those of a dead one are known to be offline.
        return Step(replace(state, bd_seq=bd_seq), (AllLost(),) if state.bd_seq is None else ())
    if state.bd_seq is not None and bd_seq != state.bd_seq:
        if bd_seq == state.former_bd_seq:
            return Step(state, ())
        state, wish = _wish(state, message.received_us, f"death {bd_seq} belongs to no birth known here")
        return Step(state, (), wish)
    lost = (Presence(None, False), *(Presence(device, False) for device in state.devices))
    return Step(replace(state, node=None, devices={}, births_due=False, seq=None), lost)


def _go_on(state: EdgeState, message: EdgeMessage, seq: int) -> Step:
    """A message other than birth and death of the node, which is alive."""
    assert state.node is not None
    scope = state.node if message.device is None else state.devices.get(message.device)
    in_order = is_next(state.seq, seq)
    sent_ms = message.payload.timestamp
    old = _refuse(message, RejectionReason.NO_BIRTH, "it was sent before the last birth")
    if not in_order and _is_older(sent_ms, state.node):
        # The births have overtaken it. In order, an old time shows history, or a clock that was set back.
        return Step(state, (old,))
    if in_order:
        state = replace(state, seq=seq)
        wish = None
    else:
        gap = f"seq {seq} follows {state.seq}"
        behind = is_behind(state.seq, seq)
        state = replace(state, seq=state.seq if behind else seq, epoch=state.epoch + 1, births_due=False)
        state, wish = _wish(state, message.received_us, gap)
        if scope is not None and _is_older(sent_ms, scope):
            return Step(state, (old,), wish)
    match message.kind:
        case MessageKind.DBIRTH:
            taken = _bear_device(state, message)
        case MessageKind.DDEATH:
            taken = _lose_device(state, message, scope)
        case _:
            taken = _read_data(state, message)
    return taken if taken.wish or wish is None else replace(taken, wish=wish)


def _bear_device(state: EdgeState, message: EdgeMessage) -> Step:
    device = message.device or ""
    if len(state.devices) >= MAX_DEVICES and device not in state.devices:
        detail = f"its edge node has {MAX_DEVICES:,} devices already"
        return Step(state, (_refuse(message, RejectionReason.TOO_MANY_VALUES, detail),))
    payload = message.payload
    scope = build_scope(declare(payload.metrics), state.epoch, payload.timestamp, message.received_us)
    state = replace(state, devices={**state.devices, device: scope})
    return Step(state, (Presence(device, True), *_read_birth(message)))


def _lose_device(state: EdgeState, message: EdgeMessage, scope: Scope | None) -> Step:
    remaining = {device: kept for device, kept in state.devices.items() if device != message.device}
    time_ms = message.payload.timestamp
    # The edge's clock counts only between two times of ours: else a death would be older than its birth, for ever.
    if time_ms is None or scope is None or not scope.born_us <= time_ms * 1000 <= message.received_us:
        time_ms = None
    return Step(replace(state, devices=remaining), (Presence(message.device, False, time_ms),))


def _read_data(state: EdgeState, message: EdgeMessage) -> Step:
    parts: list[Meaning] = []
    if state.births_due:
        # All births come before the first data: a device that was not born again is not there any more.
        remaining = {device: scope for device, scope in state.devices.items() if state.is_believed(scope)}
        parts += [Presence(device, False) for device in state.devices if device not in remaining]
        devices = state.devices if len(remaining) == len(state.devices) else remaining
        state = replace(state, births_due=False, devices=devices)
    scope = state.node if message.device is None else state.devices.get(message.device)
    if scope is None or not state.is_believed(scope):
        why = "the device has not been born" if scope is None else "a birth may have been lost since the last one"
        asked = _ask(state, message, why)
        return replace(asked, parts=(*parts, *asked.parts))
    wish: str | None = None
    for metric in message.payload.metrics:
        read = _read_one(metric, scope, message)
        parts += read
        if any(isinstance(part, Problem) and part.reason is RejectionReason.NO_BIRTH for part in read):
            wish = "data of a metric that its birth did not name"
    if wish is not None:
        state, wish = _wish(state, message.received_us, wish)
    return Step(state, tuple(parts), wish)


def _read_one(metric: Metric, scope: Scope, message: EdgeMessage) -> list[Meaning]:
    by_name = None if metric.name is None else scope.by_name.get(metric.name)
    by_alias = None if metric.alias is None else scope.by_alias.get(metric.alias)
    declared = by_alias if metric.name is None else by_name
    contradicts = metric.name is not None and by_alias is not None and by_alias.name != metric.name
    if declared is None or contradicts:
        shown = f"alias {metric.alias}" if metric.name is None else shorten(metric.name)
        detail = "the last birth names no such metric, or more than one"
        serial = message.device
        return [Problem(RejectionReason.NO_BIRTH, f"values.{shown}", detail, serial)]
    return list(read_metric(metric, declared, message.device, message.payload.timestamp))


def _read_birth(message: EdgeMessage) -> Iterator[Meaning]:
    for metric, declared in zip(
        (metric for metric in message.payload.metrics if metric.name is not None),
        declare(message.payload.metrics),
        strict=True,
    ):
        yield from read_metric(metric, declared, message.device, message.payload.timestamp)


def read_by_name(message: EdgeMessage) -> tuple[Meaning, ...]:
    """What a message means to somebody who knows nothing of its edge: births all of it, data nothing.

    For refused messages that are looked at again long after: the births of their time are gone.
    """
    if message.kind in (MessageKind.NBIRTH, MessageKind.DBIRTH):
        return tuple(_read_birth(message))
    return (_refuse(message, RejectionReason.NO_BIRTH, "the birth of its time is not known any more"),)


def _find_bd_seq(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BIRTH_DEATH and isinstance(metric.value, int) and metric.value <= MAX_BD_SEQ:
            return metric.value
    return None


def _is_older(time_ms: int | None, scope: Scope) -> bool:
    return time_ms is not None and scope.birth_ms is not None and time_ms < scope.birth_ms


def _ask(state: EdgeState, message: EdgeMessage, why: str) -> Step:
    state, wish = _wish(state, message.received_us, why)
    return Step(state, (_refuse(message, RejectionReason.NO_BIRTH, why),), wish)


def _wish(state: EdgeState, now_us: int, why: str) -> tuple[EdgeState, str | None]:
    """The wish for a rebirth, unless it was uttered a short while ago: who is asked again and again, whether he answers
    or not, is asked ever less often."""
    since_us = now_us - state.asked_us
    if not 0 <= since_us < 2 * LAST_WAIT_US:
        return replace(state, asked_us=now_us, asks=1), why
    if since_us < min(FIRST_WAIT_US << min(max(state.asks - 1, 0), 8), LAST_WAIT_US):
        return state, None
    return replace(state, asked_us=now_us, asks=state.asks + 1), why


def _refuse(message: EdgeMessage, reason: RejectionReason, detail: str, field: str | None = None) -> Problem:
    return Problem(reason, field, detail, message.device, max(1, len(message.payload.metrics)))
