"""Which customers need a call first: the one ranking that the API lists and the console shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.auth import Caller
from domain.customer_risk import CUSTOMER_RULES, AttentionKey, rank_points
from domain.risk import Found, Trouble, find_hidden_troubles
from store.customer_standing import CustomerLine, load_customer_lines
from store.pool import Connection
from store.troubles import CustomerPoints, load_customer_points


@dataclass(frozen=True, slots=True)
class AttentionWish:
    """Of which customers; "" takes every one. `q` is looked for in code and name."""

    is_simulated: bool = False
    region: str = ""
    type: str = ""
    q: str = ""
    least: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How all customers stand at one moment, whatever is wished for."""

    lines: list[CustomerLine]
    points: Mapping[int, CustomerPoints]  # by the id of the customer; without any, it is not there
    hidden: frozenset[Trouble]


@dataclass(frozen=True, slots=True)
class Attention:
    """The ranking at one moment. `lines` are all customers that were looked at, `ranked` those with points enough."""

    lines: Mapping[str, CustomerLine]
    regions: list[str]  # of all that there are, whatever is wished for
    points: Mapping[int, CustomerPoints]  # by the id of the customer; without any, it is not there
    ranked: list[AttentionKey]
    hidden: frozenset[Trouble]

    def find_troubles(self, code: str) -> Mapping[Trouble, Found]:
        """What is wrong at that customer, as far as the caller may know of it."""
        points = self.points.get(self.lines[code].id)
        return {} if points is None else points.find()

    @property
    def device_count(self) -> int:
        """The devices of all customers that were looked at."""
        return sum(line.device_count for line in self.lines.values())


def load_attention(conn: Connection, caller: Caller, wish: AttentionWish, at: datetime) -> Attention:
    """The customers whose rows the caller sees, by the points of what the caller may know of, the most first."""
    return find_attention(load_standing(conn, caller, at, is_simulated=wish.is_simulated), wish)


def load_standing(conn: Connection, caller: Caller, at: datetime, *, is_simulated: bool) -> Standing:
    """The customers whose rows the caller sees, with the points of what the caller may know of."""
    hidden = find_hidden_troubles(caller.permissions)
    rules = {code: rule for code, rule in CUSTOMER_RULES.items() if code not in hidden}
    points = load_customer_points(conn, rules, now=at, is_simulated=is_simulated, customer_id=caller.customer_id)
    lines = load_customer_lines(conn, is_simulated=is_simulated, ids=sorted(points), customer_id=caller.customer_id)
    return Standing(lines, points, hidden)


def find_attention(standing: Standing, wish: AttentionWish) -> Attention:
    """Those customers that are wished for, the most points first; `wish.is_simulated` is what was loaded."""
    points = standing.points
    sought = wish.q.lower()
    wanted = {
        line.code: line
        for line in standing.lines
        if wish.region in ("", line.region)
        and wish.type in ("", line.type)
        and (not sought or sought in f"{line.code} {line.name}".lower())
    }
    there = ((code, points.get(line.id)) for code, line in wanted.items())
    scores = ((code, 0, 0) if one is None else (code, one.score, one.worst) for code, one in there)
    regions = sorted({line.region for line in standing.lines if line.region})
    return Attention(wanted, regions, points, rank_points(scores, least=wish.least), standing.hidden)
