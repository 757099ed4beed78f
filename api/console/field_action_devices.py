"""The devices of a field action on its page: how far they are by region and customer, the list, and the one picked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.field_action_views import find_item_line, find_progress, find_reached
from api.console.filters import Filter, find_choice
from api.console.page import View
from domain.field_action import FieldAction
from domain.field_action_item import FieldActionItem, ItemState
from store.field_action_items import ItemFilter, load_items
from store.field_action_progress import Progress, load_progress
from store.pool import Connection

ROWS = 50


@dataclass(frozen=True, slots=True)
class ActionDevices:
    """What is known of them to who looks; an account of one customer knows of its own. `items` has one more than a
    page where there are further rows; `kept` is what the reader filtered by."""

    by_customer: Sequence[Progress]
    by_region: Sequence[Progress]
    filters: Sequence[Filter]
    kept: Mapping[str, str]
    items: Sequence[FieldActionItem]
    picked: FieldActionItem | None

    @property
    def named_customers(self) -> list[tuple[str, str]]:
        """Whom something can be said to: (what the form sends, name)."""
        return [(f"customer:{group.key}", group.name or group.key) for group in self.by_customer if group.key]

    @property
    def serial(self) -> str:
        """Of the picked device; empty without one."""
        return self.picked.serial if self.picked else ""


def load_devices(
    view: View, conn: Connection, action: FieldAction, chosen: Mapping[str, str], *, item: str, after: int | None
) -> ActionDevices:
    """The devices that the filters let through, from `after` on, and the one of that serial."""
    customer_id = view.person.customer_id
    by_customer = load_progress(conn, action.id, "customer", customer_id=customer_id)
    by_region = load_progress(conn, action.id, "region", customer_id=customer_id)
    filters = _find_filters(view, by_region, by_customer, chosen)
    values = {one.name: one.value for one in filters}
    wanted = ItemFilter(
        states=(values["state"],) if values["state"] else (),
        region=values["region"],
        customer=values["customer"],
        customer_id=customer_id,
    )
    named = ItemFilter(serial=item, customer_id=customer_id)
    return ActionDevices(
        by_customer=by_customer,
        by_region=by_region,
        filters=filters,
        kept={name: value for name, value in chosen.items() if value},
        items=load_items(conn, action.id, wanted, after_id=after, limit=ROWS + 1),
        picked=next(iter(load_items(conn, action.id, named, limit=1)), None) if item else None,
    )


def find_device_tables(view: View, action: FieldAction, devices: ActionDevices) -> dict[str, Any]:
    """Progress and the list, by the names of the page's template."""
    reached = find_reached(devices.by_region)
    path, kept, items = f"/field-actions/{action.code}", devices.kept, devices.items
    return {
        "regions": find_progress(view, devices.by_region, reached, view.t("field_action.nowhere")),
        "customers": find_progress(view, devices.by_customer, reached, view.t("field_action.nobody")),
        "progress_heads": [view.name("state", name.upper()) for name in reached],
        "items": [find_item_line(view, one) for one in items[:ROWS]],
        "filters": devices.filters,
        "filtered": bool(kept),
        "item_href": view.link(path, **kept),
        "older": view.link(path, **kept, after=items[ROWS - 1].id) if len(items) > ROWS else None,
        "picked": find_item_line(view, devices.picked) if devices.picked else None,
    }


def _find_filters(
    view: View, by_region: Sequence[Progress], by_customer: Sequence[Progress], chosen: Mapping[str, str]
) -> list[Filter]:
    offered: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("state", view.t("column.state"), [(s.value, view.name("state", s.value)) for s in ItemState]),
        ("region", view.t("fact.region"), [(g.key, g.key) for g in by_region if g.key]),
        ("customer", view.t("column.customer"), [(g.key, g.name or g.key) for g in by_customer if g.key]),
    ]
    return [
        Filter(name, label, find_choice(chosen.get(name, ""), [value for value, _ in options]), options)
        for name, label, options in offered
    ]
