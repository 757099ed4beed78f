"""Orders for a whole gateway or site: opened once, with the orders of single devices as their children."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from domain.audit_work_order import OrderNews, order_adopted
from domain.profile import TicketPolicy
from domain.tickets import (
    GATEWAY_FAULT_GROUP,
    STORM_FAULT_GROUP,
    UndecidedTransition,
)
from domain.triage import Decision
from domain.work_order import WorkOrder, WorkOrderType
from service_link.batch_orders import BatchOrders
from store.triage_context import adopt_children, load_links, lock_open_orders
from store.work_orders import open_work_order


class ParentOrders:
    """Opens the parents that a batch needs."""

    def __init__(self, orders: BatchOrders) -> None:
        self._orders = orders

    def find_storm_parent(
        self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy
    ) -> int | None:
        """The site's storm order, opened where there is none; what the storm opened before becomes its child."""
        assert transition.site_id is not None
        known = self._orders.known.by_site.get(transition.site_id)
        if known is not None:
            before = self._orders.known.orders[known]
            parent = self._orders.take_in(before, transition)
            # The inbox shows the parent alone: it must be as urgent as the worst below it.
            parent = self._orders.settle(before, parent, decision.priority, policy)
            self._orders.put(parent)
            self._orders.plan.tell(OrderNews.JOINED, transition, decision, before, parent, self._orders.now)
            return parent.id
        params = {"site": transition.site_code, "devices": decision.params["devices"]}
        breaches = {breach_id: active for _, breach_id, active in self._orders.known.find_storm(transition, policy)}
        parent_order = self._open_parent(
            transition, decision, policy, STORM_FAULT_GROUP, "site_storm", params, breaches, gateway_id=None
        )
        return self._orders.known.by_site.get(transition.site_id) if parent_order is None else parent_order.id

    def open_gateway_parent(
        self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy
    ) -> WorkOrder | None:
        """The order of a gateway whose devices are offline; None where somebody else opened one just now."""
        assert transition.gateway_id is not None
        breaches = dict.fromkeys(self._orders.known.gateway_offline[transition.gateway_id].values(), True)
        return self._open_parent(
            transition,
            decision,
            policy,
            GATEWAY_FAULT_GROUP,
            "gateway_offline",
            decision.params,
            breaches,
            gateway_id=transition.gateway_id,
        )

    def _open_parent(
        self,
        transition: UndecidedTransition,
        decision: Decision,
        policy: TicketPolicy,
        fault_group: str,
        title_code: str,
        title_params: dict[str, Any],
        breaches: Mapping[UUID, bool],
        *,
        gateway_id: int | None,
    ) -> WorkOrder | None:
        """An order for a gateway or site with all these breaches; open orders of single devices become its children."""
        draft = self._orders.draft(
            transition,
            WorkOrderType.CORRECTIVE,
            decision.priority,
            policy,
            fault_group=fault_group,
            title_code=title_code,
            title_params=title_params,
            gateway_id=gateway_id,
        )
        parent = open_work_order(self._orders.conn, draft)
        if parent is None:
            gateways = [] if gateway_id is None else [gateway_id]
            sites = [transition.site_id] if gateway_id is None and transition.site_id is not None else []
            for existing in lock_open_orders(self._orders.conn, (), (), gateways, sites):
                self._orders.known.add_order(existing)
                for order_id, breach_id, is_active in load_links(self._orders.conn, [existing.id], list(breaches)):
                    self._orders.known.link(order_id, breach_id, is_active=is_active)
            return None
        self._orders.add_opened(parent, policy)
        # Links of this batch are still in memory: the orders they belong to must be found by their breaches.
        self._orders.plan.write_links(self._orders.conn)
        children = adopt_children(
            self._orders.conn,
            parent.id,
            list(breaches),
            transition.fault_group if gateway_id is not None else None,
            self._orders.now,
        )
        for child_id, code in children:
            if child_id in self._orders.known.orders:
                self._orders.known.orders[child_id] = replace(self._orders.known.orders[child_id], parent_id=parent.id)
            self._orders.plan.audit.append(order_adopted(code, parent.code, decision.reason))
        for breach_id, is_active in breaches.items():
            self._orders.known.link(parent.id, breach_id, is_active=is_active)
            self._orders.plan.links.append((parent.id, breach_id))
        parent = replace(parent, breach_count=len(breaches))
        parent = self._orders.take_in(parent, transition)
        self._orders.put(parent)
        self._orders.plan.tell(OrderNews.OPENED, transition, decision, None, parent, self._orders.now)
        return parent
