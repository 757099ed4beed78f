"""Where one can go: what people open all day stands in the bar, the rest in menus by the kind of work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.roles import Permission


@dataclass(frozen=True, slots=True)
class Place:
    """One page of the bar (`group` is empty) or of a menu; `key` opens it after `g`."""

    href: str
    label: str
    key: str
    permission: Permission
    group: str = ""


PLACES = (
    Place("/my", "nav.my", "m", Permission.WORK_ORDER_WORK),
    Place("/inbox", "nav.inbox", "i", Permission.WORK_ORDER_READ),
    Place("/work-orders", "nav.work_orders", "w", Permission.WORK_ORDER_READ),
    Place("/devices", "nav.devices", "d", Permission.DEVICE_READ),
    Place("/customers", "nav.customers", "p", Permission.CUSTOMER_READ),
    Place("/capa", "nav.capa", "c", Permission.CAPA_READ, "nav.quality"),
    Place("/plans", "nav.plans", "n", Permission.WORK_ORDER_READ, "nav.quality"),
    Place("/complaints", "nav.complaints", "m", Permission.COMPLAINT_READ, "nav.quality"),
    Place("/field-actions", "nav.field_actions", "x", Permission.FIELD_ACTION_READ, "nav.quality"),
    Place("/firmware", "nav.firmware", "b", Permission.FIELD_ACTION_READ, "nav.quality"),
    Place("/approvals", "nav.approvals", "v", Permission.APPROVAL_REQUEST_READ, "nav.quality"),
    Place("/fleet", "nav.fleet", "f", Permission.KPI_READ, "nav.insight"),
    Place("/kpis", "nav.kpis", "k", Permission.KPI_READ, "nav.insight"),
    Place("/monitors", "nav.monitors", "o", Permission.CAPA_READ, "nav.insight"),
    Place("/models", "nav.models", "h", Permission.CAPA_READ, "nav.insight"),
    Place("/lab", "nav.lab", "z", Permission.CAPA_READ, "nav.insight"),
    Place("/data-quality", "nav.data_quality", "q", Permission.REJECTION_READ, "nav.insight"),
    Place("/audit", "nav.audit", "a", Permission.AUDIT_READ, "nav.control"),
    Place("/admin/users", "nav.users", "u", Permission.USER_MANAGE, "nav.control"),
    Place("/admin/roles", "nav.roles", "r", Permission.USER_MANAGE, "nav.control"),
    Place("/admin/tokens", "nav.tokens", "t", Permission.TOKEN_MANAGE, "nav.control"),
    Place("/admin/sla", "nav.sla", "l", Permission.CONFIGURATION_READ, "nav.control"),
    Place("/admin/calendars", "nav.calendars", "e", Permission.CONFIGURATION_READ, "nav.control"),
    Place("/admin/profiles", "nav.profiles", "j", Permission.CONFIGURATION_READ, "nav.control"),
    Place("/admin/webhooks", "nav.webhooks", "g", Permission.WEBHOOK_READ, "nav.control"),
    Place("/admin/retention", "nav.retention", "y", Permission.CONFIGURATION_READ, "nav.control"),
    Place("/admin/settings", "nav.settings", "s", Permission.USER_MANAGE, "nav.control"),
)


def build_navigation(path: str, may: Callable[[Permission], bool]) -> list[dict[str, Any]]:
    """The bar in order: a link where there is a `href`, else a menu with `items`; only what this person may open.

    A menu of one page is that page.
    """
    bar: list[dict[str, Any]] = []
    menus: dict[str, dict[str, Any]] = {}
    for place in PLACES:
        if not may(place.permission):
            continue
        current = path == place.href or path.startswith(f"{place.href}/")
        link = {"href": place.href, "label": place.label, "key": place.key, "current": current, "count": None}
        if not place.group:
            bar.append(link)
            continue
        menu = menus.get(place.group)
        if menu is None:
            menu = menus[place.group] = {"href": None, "label": place.group, "current": False, "items": []}
            bar.append(menu)
        menu["items"].append(link)
        menu["current"] = menu["current"] or current
    return [item["items"][0] if not item["href"] and len(item["items"]) == 1 else item for item in bar]
