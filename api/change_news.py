"""Changes as server-sent events: made once for all streams whose callers may hear the same."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import orjson

from domain.change_position import Position
from domain.roles import Permission
from store.change_log import Change, ChangeBatch

# Which right one needs to hear of a change; a change of anything else is told to nobody.
RIGHTS = {
    "work_order": Permission.WORK_ORDER_READ,
    "capa": Permission.CAPA_READ,
    "complaint": Permission.COMPLAINT_READ,
    "breach": Permission.BREACH_READ,
    "device": Permission.DEVICE_READ,
    "approval_request": Permission.APPROVAL_REQUEST_READ,
    "field_action": Permission.FIELD_ACTION_READ,
    "firmware_record": Permission.FIELD_ACTION_READ,
}


@dataclass(frozen=True, slots=True)
class Audience:
    """All who may hear the same: of these kinds of records, and of one customer's alone if one is named."""

    entities: frozenset[str]
    customer_id: int | None = None

    def may_hear(self, change: Change) -> bool:
        """It is of a kind that they may read, and no other customer's."""
        is_own = self.customer_id is None or change.customer_id == self.customer_id
        return is_own and change.entity in self.entities


@cache
def find_audience(permissions: frozenset[Permission], customer_id: int | None) -> Audience:
    """To whom somebody with these rights belongs."""
    return Audience(frozenset(entity for entity, right in RIGHTS.items() if right in permissions), customer_id)


@dataclass(slots=True)
class News:
    """One batch as each audience is told it; what each is told is made once."""

    batch: ChangeBatch
    _told: dict[Audience, bytes] = field(default_factory=dict)

    def tell(self, audience: Audience) -> bytes:
        """The events for them; empty where nothing is theirs."""
        told = self._told.get(audience)
        if told is None:
            told = self._told[audience] = write_changes(self.batch, filter(audience.may_hear, self.batch.changes))
        return told

    def tell_since(self, audience: Audience, after: Position) -> bytes:
        """The same without what somebody who stands there has seen already."""
        unseen = (change for change in self.batch.changes if not after.has_seen(change.xid, change.id))
        return write_changes(self.batch, filter(audience.may_hear, unseen))


def write_changes(batch: ChangeBatch, changes: Iterable[Change]) -> bytes:
    """The events of some of its changes in their order; of several of one record the last one says it all.

    Whoever has the last event has seen the whole batch: what it left out is none of theirs.
    """
    newest: dict[tuple[str, str], Change] = {}
    for change in changes:
        newest.pop((change.entity, change.entity_id), None)
        newest[change.entity, change.entity_id] = change
    told = list(newest.values())
    positions = [batch.find_position(change) for change in told[:-1]] + [batch.end]
    return b"".join(write_change(change, position) for change, position in zip(told, positions, strict=False))


def write_change(change: Change, position: Position) -> bytes:
    """The event of one change, for who stands at that position with it."""
    data = {"id": change.entity_id, "version": change.row_version, "at": change.at}
    return write_event(change.entity, position, orjson.dumps(data))


def write_event(name: str, position: Position | None, data: bytes) -> bytes:
    """One event as the standard wants it; without a position it moves nobody."""
    place = b"id: %s\n" % str(position).encode() if position is not None else b""
    return b"%sevent: %s\ndata: %s\n\n" % (place, name.encode(), data)
