"""Steps of many work orders at once, and two that turn out to be one."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from api.shapes.pages import Sent, Shape
from api.shapes.work_order_records import Short, Text
from domain.work_order import HoldReason, WorkOrderState

_S = WorkOrderState


class NewMerge(Sent):
    """An order that goes up in this one."""

    order: Short = Field(min_length=1, description="Code of the order that goes.", examples=["WO-2026-000124"])
    reason: Text


class BulkTransition(Sent):
    """One step for many orders. What is said of each single order (close-out, signature) is not said in bulk."""

    codes: list[Short] = Field(min_length=1, max_length=200, description="Each once.")
    to: Literal[_S.TRIAGED, _S.ASSIGNED, _S.IN_PROGRESS, _S.ON_HOLD, _S.VERIFIED, _S.CANCELLED]
    reason: Text = ""
    assignee: Short | None = Field(None, description="Name of the technician's account; for ASSIGNED.")
    hold_reason: HoldReason | None = Field(None, description="For ON_HOLD.")
    row_versions: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="By code: the version that was seen; an order that has moved on since is refused."
    )


class BulkResult(StrEnum):
    """What became of one order."""

    DONE = "done"
    REFUSED = "refused"


class BulkLine(Shape):
    """What became of one order."""

    code: str
    result: BulkResult
    state: str | None = Field(description="Now; null: there is no such order, or it is not yours to see.")
    row_version: int | None
    guard: str | None = Field(description="Why it was refused; `not_found` and `row_version_conflict` too.")
    detail: str


class BulkAnswer(Shape):
    """What became of each order, in the order in which they were named."""

    items: list[BulkLine]
    done: int
    refused: int
