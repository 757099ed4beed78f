"""Which fields of the form of a work order's step are wrong: those that hold nothing usable, those of its guards."""

from collections.abc import Iterable, Mapping

from starlette.datastructures import FormData

from api.console.form_faults import Fault, say_fault
from api.console.forms import find_day_fault
from api.console.guard_fields import find_guard_marks
from api.console.page import View
from domain.work_order import HoldReason, Outcome, WorkOrderState


def find_unreadable(view: View, to: WorkOrderState, values: Mapping[str, str]) -> dict[str, str]:
    """What was typed into fields of that step and cannot be used, each with its reason; what is empty is left for the
    guards."""
    found: dict[str, Fault | None] = {}
    if to is WorkOrderState.WORK_DONE:
        found["serviced_on"] = find_day_fault(FormData(values), "serviced_on")
        found["outcome"] = Fault.NOT_A_CHOICE.where(values["outcome"] not in {"", *Outcome})
    if to is WorkOrderState.ON_HOLD:
        found["hold_reason"] = Fault.NOT_A_CHOICE.where(values["hold_reason"] not in {"", *HoldReason})
    return {name: say_fault(view, fault) for name, fault in found.items() if fault is not None}


def find_step_marks(
    view: View, guard: str, said: str, values: Mapping[str, str], lacking: Iterable[str]
) -> dict[str, str]:
    """The fields that the guard is about; of an incomplete service record all that it lacks."""
    if guard != "close_out_incomplete":
        return find_guard_marks(guard, said, values)
    return dict.fromkeys((*lacking, *([] if values["outcome"] else ["outcome"])), say_fault(view, Fault.MISSING))
