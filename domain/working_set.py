"""What the ticket rules look at: open orders by what finds them, and the surroundings of the transitions to decide."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.breach import TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import GATEWAY_FAULT_GROUP, STORM_FAULT_GROUP, UndecidedTransition
from domain.triage import Context
from domain.work_order import WorkOrder, WorkOrderSource

Key = tuple[int, str]  # device and fault group


@dataclass(frozen=True, slots=True)
class CurrentShelving:
    """A shelving that holds now; `fault_group` None is the whole device."""

    device_id: int
    fault_group: str | None
    reason: str
    shelved_until: datetime


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

    def add_key(self, key: Key, order_id: int) -> None:
        """The order, of whatever key, is found by this one as well where the key has no order of its own."""
        self.by_key.setdefault(key, order_id)

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
