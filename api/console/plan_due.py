"""What the page of maintenance plans is about: the plans, and what is due by those that are chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from api.console.filters import Filter, find_choice
from api.console.page import View
from domain.approval_request import ApprovalKind, ApprovalState
from domain.maintenance_plan import OccurrenceState
from store.approval_requests import load_approval_requests
from store.maintenance_plans import MaintenancePlan, load_maintenance_plans
from store.place_names import PlaceNames, load_place_names
from store.plan_occurrence_lists import PlanOccurrence, load_plan_occurrences
from store.pool import Connection

ROWS = 50
OPEN = tuple(state for state in OccurrenceState if state.is_open)
NEVER = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Due:
    """What is there for one address. `kept` is what it chooses, `cursor` where the next page begins; "" on the last."""

    plans: Sequence[MaintenancePlan]
    plan: MaintenancePlan | None
    shown: Sequence[PlanOccurrence]
    overdue: int
    places: PlaceNames
    kept: dict[str, str]
    cursor: str


def load_due(view: View, conn: Connection, values: Mapping[str, str], after: str) -> Due:
    """What the address asks for, the one that is due first at the top; a value that is not offered asks for nothing."""
    customer_id = view.person.customer_id
    plans = load_maintenance_plans(conn, customer_id=customer_id, limit=100)
    kept = {
        "state": find_choice(values.get("state", ""), list(OccurrenceState)),
        "plan": find_choice(values.get("plan", ""), [plan.code for plan in plans]),
        "device": values.get("device", ""),
    }
    found = load_plan_occurrences(
        conn,
        plan=kept["plan"],
        serial=kept["device"],
        states=[kept["state"]] if kept["state"] else list(OPEN),
        customer_id=customer_id,
        after=_read_cursor(after),
        limit=ROWS + 1,
    )
    last = found[ROWS - 1] if len(found) > ROWS else None
    overdue = load_plan_occurrences(conn, states=[OccurrenceState.OVERDUE], customer_id=customer_id, limit=1_000)
    customers, sites = [one.customer for one in found], [one.site for one in found]
    return Due(
        plans=plans,
        plan=next((one for one in plans if one.code == kept["plan"]), None),
        shown=found[:ROWS],
        overdue=len(overdue),
        places=load_place_names(conn, customers=customers, sites=sites, customer_id=customer_id),
        kept=kept,
        cursor="" if last is None else f"{(last.due_on or NEVER).isoformat()}~{last.id}",
    )


def find_plan_filters(view: View, due: Due) -> list[Filter]:
    """By state, of those that are open where none is chosen, and by plan."""
    states = [(state.value, view.name("occurrence", state)) for state in OccurrenceState]
    names = [(plan.code, f"{plan.code} {plan.name}") for plan in due.plans]
    return [
        Filter("state", view.t("column.state"), due.kept["state"], states, view.t("plans.open")),
        Filter("plan", view.t("plans.plan"), due.kept["plan"], names),
    ]


def load_asked(view: View, conn: Connection, picked: PlanOccurrence | None) -> str:
    """The code of the open question whether that occurrence is left out."""
    if picked is None or view.person.customer_id is not None:
        return ""
    kind = (ApprovalKind.PLAN_SKIP,)
    found = load_approval_requests(conn, kinds=kind, states=(ApprovalState.ASKED,), entity_id=picked.code, limit=1)
    return found[0].code if found else ""


def _read_cursor(after: str) -> tuple[date, int] | None:
    day, _, number = after.partition("~")
    try:
        return (date.fromisoformat(day), int(number)) if day else None
    except ValueError:  # of another version: the first page
        return None
