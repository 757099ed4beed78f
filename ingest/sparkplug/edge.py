"""What is known of one edge node between two of its messages. Immutable: a step makes another one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.sparkplug import SEQUENCE

REMEMBERED = 64  # digests of the last messages, by which a repeated one is known
REORDERED = 16  # a message so little behind the last one does not turn the sequence back


class Declared(NamedTuple):
    """One metric as its birth declared it."""

    name: str
    alias: int | None
    datatype: int
    unit: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The metrics of the node itself or of one device, as the last birth declared them.

    It is believed only while its `epoch` is that of its edge: a gap in the sequence may have hidden another birth.
    """

    declared: tuple[Declared, ...]
    epoch: int
    birth_ms: int | None  # when the birth was sent, by the edge's clock
    born_us: int  # when it was received
    by_name: Mapping[str, Declared | None] = field(compare=False, repr=False)  # None: it stands for several
    by_alias: Mapping[int, Declared | None] = field(compare=False, repr=False)
    by_last: Mapping[str, int] = field(compare=False, repr=False)  # how many names end so, behind their last slash


def build_scope(declared: Iterable[Declared], epoch: int, birth_ms: int | None, born_us: int) -> Scope:
    """The scope with its look-ups. What is declared in two ways, or stands for two metrics, stands for none."""
    kept = tuple(dict.fromkeys(declared))
    by_name: dict[str, Declared | None] = {}
    by_alias: dict[int, Declared | None] = {}
    for metric in kept:
        by_name[metric.name] = None if metric.name in by_name else metric
        if metric.alias is not None:
            by_alias[metric.alias] = None if metric.alias in by_alias else metric
    by_last = Counter(name.rpartition("/")[2] for name in by_name)
    return Scope(kept, epoch, birth_ms, born_us, by_name, by_alias, by_last)


@dataclass(frozen=True, slots=True)
class EdgeState:
    """One edge node. Without a birth (never seen, or dead) `node` is None and there is no device."""

    group: str
    edge: str
    epoch: int = 0  # counts births and gaps: what was declared in an earlier one is not believed
    bd_seq: int | None = None  # of the last birth
    former_bd_seq: int | None = None  # of the session before it, whose death may still be under way
    seq: int | None = None  # of the last message
    births_due: bool = False  # since the node's birth nothing but births of devices has come
    asked_us: int = 0  # when a rebirth was last asked for ...
    asks: int = 0  # ... and how often in a row
    recent: tuple[bytes, ...] = ()
    node: Scope | None = None
    devices: Mapping[str, Scope] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        """It was born and has not died."""
        return self.node is not None

    def is_believed(self, scope: Scope | None) -> bool:
        """Nothing can have come between this birth and now."""
        return scope is not None and scope.epoch == self.epoch


def is_next(last: int | None, seq: int) -> bool:
    """The message with `seq` follows that with `last`; 0 follows 255."""
    return last is not None and seq == (last + 1) % SEQUENCE


def is_behind(last: int | None, seq: int) -> bool:
    """The message was probably sent shortly before the last one, and overtaken."""
    return last is not None and (last - seq) % SEQUENCE < REORDERED
