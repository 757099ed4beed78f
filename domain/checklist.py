"""Checklists of work orders: versioned templates, frozen into an order when it is assigned, answered line by line.

An answer that fails (no, or a number out of its limits) is an answer, if it says why; what is required and has no
answer keeps the order from WORK_DONE.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.refusal import RecordRefusal
from domain.roles import Permission
from domain.visit import AT_WORK
from domain.work_order import WorkOrderSource, WorkOrderState, WorkOrderType

LANGUAGES = ("en", "zh")
MOST_ITEMS = 200
MOST_TEXT = 10_000
_KEY = re.compile(r"[a-z][a-z0-9_]{0,47}")


class TemplateKind(StrEnum):
    """What a checklist is for. Values stand in the database and never change."""

    CORRECTIVE = "CORRECTIVE"
    PREVENTIVE = "PREVENTIVE"
    INSTALLATION = "INSTALLATION"
    COMPLAINT_EVIDENCE = "COMPLAINT_EVIDENCE"
    RECALL = "RECALL"


class ItemKind(StrEnum):
    """How an item is answered. Values stand in the database and never change."""

    CHECK = "check"  # yes or no
    NUMBER = "number"  # within limits where there are any
    TEXT = "text"
    PHOTO = "photo"  # a picture among the order's attachments


class ChecklistGuard(StrEnum):
    """The rule that refused an answer; a 409 names it. Values never change."""

    PERMISSION_MISSING = "permission_missing"
    NOT_ASSIGNEE = "not_assignee"
    ORDER_NOT_AT_WORK = "order_not_at_work"
    EARLIER_VERSION = "earlier_version"
    NO_SUCH_ITEM = "no_such_item"
    WRONG_KIND = "wrong_kind"
    REMARK_MISSING = "remark_missing"
    NO_SUCH_PHOTO = "no_such_photo"


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One line of a template."""

    key: str
    kind: ItemKind
    text: Mapping[str, str]  # by language
    required: bool = True
    low: float | None = None
    high: float | None = None
    unit: str = ""

    def is_within(self, number: float) -> bool:
        """Whether the number lies within the limits, which belong to it."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest answer to one item."""

    item: str
    value: bool | float | str
    is_ok: bool
    remark: str
    answered_by: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Checklist:
    """One checklist of an order with the items as they were when it was made, and its answers."""

    id: int
    work_order: str
    order_version: int
    template: str
    template_version: int
    kind: TemplateKind
    title: Mapping[str, str]
    items: Sequence[ChecklistItem]
    answers: Mapping[str, Answer]
    made_at: datetime

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys of the items that are required and have no answer."""
        return tuple(i.key for i in self.items if i.required and i.key not in self.answers)


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What the guards must know of the order, loaded in the same transaction with the order locked."""

    state: WorkOrderState
    assignee_id: int | None
    order_version: int
    photos: Collection[int] = ()  # ids of the order's attachments that are pictures


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What somebody answers to one item."""

    item: str
    value: bool | float | str
    remark: str = ""


def find_kinds_for(type_: WorkOrderType, source: WorkOrderSource) -> tuple[TemplateKind, ...]:
    """Which kinds of checklist an order of that type and source gets, where there are templates of them."""
    kinds = {
        WorkOrderType.CORRECTIVE: TemplateKind.CORRECTIVE,
        WorkOrderType.PREDICTIVE: TemplateKind.CORRECTIVE,
        WorkOrderType.PREVENTIVE: TemplateKind.PREVENTIVE,
        WorkOrderType.CALIBRATION: TemplateKind.PREVENTIVE,
        WorkOrderType.INSTALL: TemplateKind.INSTALLATION,
        WorkOrderType.FIRMWARE: TemplateKind.RECALL,
        WorkOrderType.RECALL: TemplateKind.RECALL,
    }
    own = (kinds[type_],) if type_ in kinds else ()
    return (*own, TemplateKind.COMPLAINT_EVIDENCE) if source is WorkOrderSource.COMPLAINT else own


def find_item_problems(items: Sequence[ChecklistItem]) -> dict[str, str]:
    """What is wrong with the lines of a template, by field; empty: nothing."""
    return dict(_find_item_problems(items))


def _find_item_problems(items: Sequence[ChecklistItem]) -> Iterator[tuple[str, str]]:
    if not 1 <= len(items) <= MOST_ITEMS:
        yield "items", f"must be 1 to {MOST_ITEMS} lines"
    seen: set[str] = set()
    for place, item in enumerate(items):
        where = f"items[{place}]"
        if not _KEY.fullmatch(item.key):
            yield f"{where}.key", "must be a word of lower-case letters, digits and underscores"
        if item.key in seen:
            yield f"{where}.key", "is another line's already"
        seen.add(item.key)
        for language in LANGUAGES:
            if not item.text.get(language, "").strip():
                yield f"{where}.text.{language}", "must say something"
        if item.kind is not ItemKind.NUMBER and (item.low is not None or item.high is not None or item.unit):
            yield f"{where}.kind", "only a number has limits and a unit"
        if any(limit is not None and not math.isfinite(limit) for limit in (item.low, item.high)):
            yield f"{where}.low", "limits are numbers"
        elif item.low is not None and item.high is not None and item.low > item.high:
            yield f"{where}.low", "must not be above high"


def find_answer_refusal(
    checklist: Checklist, given: GivenAnswer, facts: AnswerFacts, *, actor_id: int | None, by: str
) -> RecordRefusal | None:
    """The first guard that refuses the answer, or None. A later answer to the same item replaces the one before, which
    is kept."""
    if by != Permission.WORK_ORDER_WORK:
        return RecordRefusal(ChecklistGuard.PERMISSION_MISSING, f"this needs {Permission.WORK_ORDER_WORK}")
    if facts.state not in AT_WORK:
        detail = f"the order is {facts.state}: what was answered stays"
        return RecordRefusal(ChecklistGuard.ORDER_NOT_AT_WORK, detail)
    if actor_id is None or actor_id != facts.assignee_id:
        return RecordRefusal(ChecklistGuard.NOT_ASSIGNEE, "the order is assigned to somebody else")
    if checklist.order_version != facts.order_version:
        return RecordRefusal(ChecklistGuard.EARLIER_VERSION, "this list is of the order before it was reopened")
    item = next((i for i in checklist.items if i.key == given.item), None)
    if item is None:
        return RecordRefusal(ChecklistGuard.NO_SUCH_ITEM, f"the list has no line {given.item!r}")
    wrong = _find_wrong_kind(item, given.value)
    if wrong is not None:
        return RecordRefusal(ChecklistGuard.WRONG_KIND, f"{item.key}: {wrong}")
    if item.kind is ItemKind.PHOTO and given.value not in facts.photos:
        return RecordRefusal(ChecklistGuard.NO_SUCH_PHOTO, "the order has no such picture: attach it first")
    if not is_ok(item, given.value) and not given.remark.strip():
        return RecordRefusal(
            ChecklistGuard.REMARK_MISSING, f"{item.key}: say what is wrong, and what was done about it"
        )
    return None


def _find_wrong_kind(item: ChecklistItem, value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if item.kind is ItemKind.CHECK and not isinstance(value, bool):
        return "answer true or false"
    if item.kind is ItemKind.NUMBER and not (is_number and math.isfinite(value)):
        return "answer a number"
    if item.kind is ItemKind.TEXT and not (isinstance(value, str) and 0 < len(value.strip()) <= MOST_TEXT):
        return f"answer 1 to {MOST_TEXT} characters"
    if item.kind is ItemKind.PHOTO and not (is_number and value == int(value)):
        return "answer the id of an attachment"
    return None


def is_ok(item: ChecklistItem, value: bool | float | str) -> bool:
    """Whether the answer is as it should be: yes, or a number within its limits; texts and photos always are."""
    if item.kind is ItemKind.CHECK:
        return value is True
    return item.kind is not ItemKind.NUMBER or item.is_within(float(value))


def items_to_json(items: Sequence[ChecklistItem]) -> list[dict[str, Any]]:
    """The lines as they are stored."""
    return [
        {
            "key": i.key,
            "kind": i.kind.value,
            "text": dict(i.text),
            "required": i.required,
            "low": i.low,
            "high": i.high,
            "unit": i.unit,
        }
        for i in items
    ]


def items_from_json(body: Sequence[Mapping[str, Any]]) -> tuple[ChecklistItem, ...]:
    """The lines that `items_to_json` wrote."""
    return tuple(
        ChecklistItem(
            i["key"],
            ItemKind(i["kind"]),
            dict(i["text"]),
            i["required"],
            i.get("low"),
            i.get("high"),
            i.get("unit", ""),
        )
        for i in body
    )
