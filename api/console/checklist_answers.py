"""What the form of a checklist says: the answers that are new, and which of its lines are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from api.console.checklist_views import say_value
from api.console.order_record_faults import refuse_values
from api.problems import FieldError
from api.shapes.work_order_records import ChecklistShape, ItemShape
from domain.checklist import MOST_TEXT, ChecklistGuard, ItemKind
from domain.errors import GuardRefusedError

_REFUSED_PARTS: Mapping[str, str] = {ChecklistGuard.REMARK_MISSING: "remark", ChecklistGuard.NO_SUCH_PHOTO: "value"}


@dataclass(frozen=True, slots=True)
class Line:
    """What is answered anew to one line."""

    item: ItemShape
    value: bool | float | str
    remark: str


def read_answers(known: ChecklistShape, values: Mapping[str, str]) -> list[Line]:
    """What was answered anew; lines that say what was known are left alone.

    Raises
    ------
    ProblemError
        422: to a line something is answered that is no answer to it, or a remark is written without one.
    """
    lines, errors = [], []
    answers = {one.item: one for one in known.answers}
    for item in known.items:
        text, remark = (values.get(f"{part}.{item.key}", "").strip() for part in ("value", "remark"))
        before = answers.get(item.key)
        is_same = before is not None and (say_value(before.value), before.remark) == (text, remark)
        if is_same or (not text and remark in ("", "" if before is None else before.remark.strip())):
            continue
        if not text:  # else the remark would be lost
            errors.append(FieldError(field=f"value.{item.key}", detail="is missing", code="missing"))
            continue
        value = read_value(item.kind, text)
        if isinstance(value, FieldError):
            errors.append(value.model_copy(update={"field": f"value.{item.key}"}))
        else:
            lines.append(Line(item, value, remark))
    if errors:
        raise refuse_values(errors)
    return lines


def read_value(kind: ItemKind, text: str) -> bool | float | str | FieldError:
    """What a form's field holds, as an answer to a line of that kind; or what is the matter with it."""
    if kind is ItemKind.CHECK:
        return text == "true"
    if kind is ItemKind.TEXT:
        is_long = len(text) > MOST_TEXT
        return FieldError(field="", detail="is too long", code="too_long", limit=MOST_TEXT) if is_long else text.strip()
    if kind is ItemKind.PHOTO:
        is_id = text.isascii() and text.isdigit() and len(text) < 19
        return int(text) if is_id else FieldError(field="", detail="is no picture", code="not_a_choice")
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = float("nan")
    return number if isfinite(number) else FieldError(field="", detail="is not a number", code="not_a_number")


def find_answer_marks(refused: GuardRefusedError, said: str) -> dict[str, str]:
    """The fields of the lines that are refused: the remark or the answer, as the rule has it."""
    part = _REFUSED_PARTS.get(refused.guard)
    return {f"{part}.{item}": said for item in refused.about} if part else {}
