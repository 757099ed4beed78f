"""Which orders stand in the inbox: those that this person may see and nobody has looked at, by the page's filters."""

from collections.abc import Mapping

from api.console.page import View
from domain.connectivity import ConnectivityState
from domain.roles import Permission
from store.work_order_filters import WorkOrderFilter

SORTS = {"sla": "due", "priority": "priority", "seen": "last_seen"}
ROWS = 30  # two screens: what is decided first stands there, and each row has its price
BLIND = (ConnectivityState.STALE.value, ConnectivityState.OFFLINE.value, ConnectivityState.UNKNOWN.value)


def find_wanted(view: View, chosen: Mapping[str, str] | None = None) -> WorkOrderFilter:
    """The orders; whose they are is a filter for those alone who may read the staff's names."""
    values = chosen or {}

    def one(name: str) -> tuple[str, ...]:
        return (values[name],) if values.get(name) else ()

    return WorkOrderFilter(
        inbox_only=True,
        customer_id=view.person.customer_id,
        priorities=one("priority"),
        fault_groups=one("fault"),
        models=one("model"),
        firmwares=one("firmware"),
        customer_codes=one("customer"),
        region=values.get("region", ""),
        assignee=values.get("owner", "") if view.may(Permission.STAFF_READ) else "",
        connectivities=BLIND if values.get("data") else (),
    )
