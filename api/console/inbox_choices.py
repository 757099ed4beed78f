"""What the inbox may be filtered by: what is there to be chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from api.console.filters import Filter, find_choice
from api.console.inbox_wanted import find_wanted
from api.console.order_rows import find_fault
from api.console.page import View
from api.state import find_state
from domain.profile import Profile
from domain.tickets import Priority
from store.pool import Connection
from store.work_order_lists import OrderFacet, load_order_facets

CHOICES = ("fault", "model", "firmware", "customer", "region")  # that depend on what is in the inbox
CHOICES_LAST = timedelta(seconds=10)


def load_filters(
    view: View, conn: Connection, profiles: Mapping[str, Profile], query: Mapping[str, str]
) -> list[Filter]:
    """The choices of a moment ago, so that they are not gathered from hundreds of orders at every look; those of now
    where the address has another one: an order that came since is found by what it is about."""
    asked = {name: query.get(name, "") for name in CHOICES}
    said_by = frozenset((profile.model, profile.version) for profile in profiles.values())
    for anew in (False, True):
        _, offers = find_state(view.request).recent.find(
            ("inbox choices", view.language, said_by),
            lambda: find_offers(view, profiles, load_order_facets(conn, find_wanted(view))),
            who=view.person,
            at=view.now,
            lasts=CHOICES_LAST,
            anew=anew,
        )
        filters = find_filters(offers, query)
        if all(one.value == asked.get(one.name, one.value) for one in filters):
            break
    return filters


@dataclass(frozen=True, slots=True)
class Offer:
    """One drop-down before anything is chosen: `options` are (value, label), in the order of their labels."""

    name: str
    label: str
    options: list[tuple[str, str]]


def find_offers(view: View, profiles: Mapping[str, Profile], rows: list[OrderFacet]) -> list[Offer]:
    """Only what is there to be chosen is offered."""
    offered: list[tuple[str, str, dict[str, str]]] = [
        (
            "priority",
            view.t("column.priority"),
            {p.value: f"{p.value} {view.name('priority', p.value)}" for p in Priority},
        ),
        (
            "fault",
            view.t("column.reason"),
            {row.fault_group: find_fault(view, profiles, row.model, row.fault_group) for row in rows},
        ),
        ("model", view.t("column.model"), {row.model: row.model for row in rows if row.model}),
        ("firmware", view.t("column.firmware"), {row.firmware: row.firmware for row in rows if row.firmware}),
        (
            "customer",
            view.t("column.customer"),
            {row.customer_code: row.customer_name or row.customer_code for row in rows if row.customer_code},
        ),
        ("region", view.t("inbox.region"), {row.region: row.region for row in rows if row.region}),
        ("data", view.t("inbox.data"), {"gap": view.t("inbox.data_gap")}),
    ]
    return [Offer(name, label, sorted(options.items(), key=lambda o: o[1])) for name, label, options in offered]


def find_filters(offers: list[Offer], query: Mapping[str, str]) -> list[Filter]:
    """The drop-downs with what the address chose of them."""
    return [
        Filter(one.name, one.label, find_choice(query.get(one.name, ""), dict(one.options)), one.options)
        for one in offers
    ]
