"""All that the ticket rules look at for one batch, loaded by a few queries and kept true while the batch is decided."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import GATEWAY_FAULT_GROUP, STORM_FAULT_GROUP, UndecidedTransition
from domain.triage import Context
from domain.work_order import WorkOrder, WorkOrderSource
from store.pool import Connection
from store.triage_context import (
    CurrentShelving,
    Key,
    count_episodes,
    load_current_shelvings,
    load_gateway_offline,
    load_last_closed_orders,
    load_links,
    load_site_breaches,
    load_survivors,
    lock_open_orders,
)

DEFAULT_POLICY = TicketPolicy()


@dataclass(slots=True)
class WorkingSet:
    """Open orders by what finds them, and the surroundings of every transition of the batch."""

    orders: dict[int, WorkOrder] = field(default_factory=dict)
    by_key: dict[Key, int] = field(default_factory=dict)
    by_gateway: dict[int, int] = field(default_factory=dict)
    by_site: dict[int, int] = field(default_factory=dict)
    orders_of_breach: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(list))
    active_of_order: dict[int, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    closed: dict[Key, WorkOrder] = field(default_factory=dict)
    episodes: Mapping[int, int] = field(default_factory=dict)
    shelvings: dict[int, list[CurrentShelving]] = field(default_factory=lambda: defaultdict(list))
    gateway_offline: dict[int, dict[int, UUID]] = field(default_factory=lambda: defaultdict(dict))
    site_times: dict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    site_breaches: dict[int, list[tuple[int, UUID, bool]]] = field(default_factory=lambda: defaultdict(list))

    def add_order(self, order: WorkOrder) -> None:
        """The order is found by its key, gateway or site now; an automatic one before others, then the oldest."""
        self.orders[order.id] = order
        if order.device_id is not None:
            key = (order.device_id, order.fault_group)
            known = self.orders.get(self.by_key.get(key, 0))
            if known is None or (
                order.source is WorkOrderSource.AUTOMATIC and known.source is not WorkOrderSource.AUTOMATIC
            ):
                self.by_key[key] = order.id
        elif order.gateway_id is not None and order.fault_group == GATEWAY_FAULT_GROUP:
            self.by_gateway.setdefault(order.gateway_id, order.id)
        elif order.site_id is not None and order.fault_group == STORM_FAULT_GROUP:
            self.by_site.setdefault(order.site_id, order.id)

    def link(self, order_id: int, breach_id: UUID, *, is_active: bool) -> None:
        """The breach belongs to the order from now on."""
        if order_id not in self.orders_of_breach[breach_id]:
            self.orders_of_breach[breach_id].append(order_id)
        if is_active:
            self.active_of_order[order_id].add(breach_id)

    def find_context(self, transition: UndecidedTransition, policy: TicketPolicy) -> Context:
        """What the rules look at for this transition, as the batch has left it so far."""
        key = (transition.device_id, transition.fault_group)
        linked = [self.orders[i] for i in self.orders_of_breach.get(transition.breach_id, ())]
        # A breach may be linked to its own order and to the parent above it: its own speaks.
        linked_order = min(linked, key=lambda o: (o.device_id is None, o.id), default=None)
        open_order = self.orders.get(self.by_key.get(key, 0))
        shelving = self._find_shelving(transition)
        offline = self.gateway_offline.get(transition.gateway_id or 0, {})
        others_active = linked_order is not None and bool(
            self.active_of_order[linked_order.id] - {transition.breach_id}
        )
        opens_perhaps = open_order is None and linked_order is None and transition.kind is not TransitionKind.CLEARED
        storm = self.find_storm(transition, policy) if opens_perhaps else []
        return Context(
            open_order=open_order,
            linked_order=linked_order,
            closed_order=self.closed.get(key),
            minor_episodes=max(1, self.episodes.get(transition.id, 1)),
            shelved_until=None if shelving is None else shelving.shelved_until,
            shelved_because="" if shelving is None else shelving.reason,
            gateway_order=self.orders.get(self.by_gateway.get(transition.gateway_id or 0, 0)),
            gateway_offline=frozenset(offline),
            storm_order=self.orders.get(self.by_site.get(transition.site_id or 0, 0)),
            storm_devices=frozenset(device_id for device_id, _, _ in storm),
            others_active=others_active,
        )

    def find_storm(self, transition: UndecidedTransition, policy: TicketPolicy) -> Sequence[tuple[int, UUID, bool]]:
        """(device, breach, whether active) of what was raised at the transition's site in the policy's window."""
        if transition.site_id is None or transition.site_id not in self.site_times:
            return []
        times = self.site_times[transition.site_id]
        window = timedelta(minutes=policy.storm_window_min)
        first, last = bisect_left(times, transition.at - window), bisect_right(times, transition.at)
        return self.site_breaches[transition.site_id][first:last]

    def _find_shelving(self, transition: UndecidedTransition) -> CurrentShelving | None:
        found = [
            s
            for s in self.shelvings.get(transition.device_id, ())
            if s.fault_group is None or s.fault_group == transition.fault_group
        ]
        return found[-1] if found else None


def load_working_set(
    conn: Connection,
    transitions: Sequence[UndecidedTransition],
    policies: Mapping[int, TicketPolicy],
    now: datetime,
) -> WorkingSet:
    """The working set of these transitions. Their open orders are locked until the caller's transaction ends."""
    loaded = WorkingSet()
    keys = {(t.device_id, t.fault_group) for t in transitions}
    breach_ids = list({t.breach_id for t in transitions})
    gateway_ids = _distinct(t.gateway_id for t in transitions if t.breach_kind is BreachKind.OFFLINE)
    severe = [t for t in transitions if t.severity.rank >= Severity.MAJOR.rank and t.kind is not TransitionKind.CLEARED]
    site_ids = _distinct(t.site_id for t in severe)
    for order in lock_open_orders(conn, keys, breach_ids, gateway_ids, site_ids):
        loaded.add_order(order)
    for key, order_id in load_survivors(conn, keys):
        if order_id in loaded.orders:
            loaded.by_key.setdefault(key, order_id)
    for order_id, breach_id, is_active in load_links(conn, list(loaded.orders), breach_ids):
        loaded.link(order_id, breach_id, is_active=is_active)
    loaded.closed = load_last_closed_orders(conn, keys)
    loaded.episodes = count_episodes(conn, _find_episode_windows(transitions, policies))
    for shelving in load_current_shelvings(conn, list({t.device_id for t in transitions}), now):
        loaded.shelvings[shelving.device_id].append(shelving)
    for gateway_id, device_id, breach_id in load_gateway_offline(conn, gateway_ids):
        loaded.gateway_offline[gateway_id][device_id] = breach_id
    if severe:
        window = max(find_policy(t, policies).storm_window_min for t in severe)
        since = min(t.at for t in severe) - timedelta(minutes=window)
        until = max(t.at for t in severe)
        for site_id, raised_at, device_id, breach_id, is_active in load_site_breaches(conn, site_ids, since, until):
            loaded.site_times[site_id].append(raised_at)
            loaded.site_breaches[site_id].append((device_id, breach_id, is_active))
    return loaded


def find_policy(transition: UndecidedTransition, policies: Mapping[int, TicketPolicy]) -> TicketPolicy:
    """The ticket policy of the transition's device model."""
    return policies.get(transition.device_model_id, DEFAULT_POLICY)


def is_still_active(transition: UndecidedTransition) -> bool:
    """Whether the breach goes on as far as the store knows."""
    return transition.breach_state is BreachState.ACTIVE


def _find_episode_windows(
    transitions: Sequence[UndecidedTransition], policies: Mapping[int, TicketPolicy]
) -> list[tuple[int, int, str, datetime, datetime]]:
    return [
        (t.id, t.device_id, t.fault_group, t.at - timedelta(hours=find_policy(t, policies).minor_window_h), t.at)
        for t in transitions
        if t.severity is Severity.MINOR and t.kind is not TransitionKind.CLEARED
    ]


def _distinct(ids: Iterable[int | None]) -> list[int]:
    return sorted({i for i in ids if i is not None})
