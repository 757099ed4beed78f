"""Checklists of a work order as its page shows them: each line with its answer, and whether it may be answered."""

from collections.abc import Mapping
from typing import Any

from api.console.forms import NOTHING, Typed
from api.console.page import View
from api.console.visit_views import find_work_refusal
from api.shapes.work_order_records import AnswerShape, AttachmentShape, ChecklistShape, ItemShape
from domain.checklist import ItemKind
from domain.work_order import WorkOrder


def find_lists(
    view: View,
    order: WorkOrder,
    lists: list[ChecklistShape],
    files: list[AttachmentShape],
    zone: str | None,
    typed: Typed,
) -> dict[str, Any]:
    """The lists of the order, those of its present version first; only these are answered."""
    refusal = find_work_refusal(view, order)
    pictures = [
        (str(f.id), f.file_name) for f in reversed(files) if f.media_type.is_image and f.work_order == order.code
    ]
    shown = sorted(lists, key=lambda one: (one.work_order != order.code, -one.order_version, one.id))
    return {
        "lists": [_find_list(view, order, one, pictures, zone, typed, refusal) for one in shown],
        "refusal": refusal,
        "kept": [words for one in shown for words in _list_kept(view, order, one, typed, refusal)],
        "pictures": pictures,
    }


def _find_list(
    view: View,
    order: WorkOrder,
    one: ChecklistShape,
    pictures: list[tuple[str, str]],
    zone: str | None,
    typed: Typed,
    refusal: str,
) -> dict[str, Any]:
    is_present = _is_present(order, one)
    answers = {answer.item: answer for answer in one.answers}
    said = typed if typed.values.get("checklist_id") == str(one.id) else NOTHING
    answered = sum(item.key in answers for item in one.items)
    return {
        "id": one.id,
        "title": one.title.get(view.language) or one.title.get("en") or one.template,
        "from": view.t("order_list.from", template=one.template, version=one.template_version),
        "says": view.t("section.checklists_say", answered=answered, lines=len(one.items)),
        "earlier": "" if is_present else view.name("record_guard", "earlier_version"),
        "can_answer": is_present and not refusal,
        "answers_address": f"/api/v1/work-orders/{order.code}/checklists/{one.id}/answers",
        "lines": [_find_line(view, item, answers.get(item.key), pictures, zone, said) for item in one.items],
    }


def _is_present(order: WorkOrder, one: ChecklistShape) -> bool:
    return one.work_order == order.code and one.order_version == order.version


def _list_kept(view: View, order: WorkOrder, one: ChecklistShape, typed: Typed, refusal: str) -> list[tuple[str, str]]:
    """What was typed anew into the lines of that list where it is not answered any more, by what each line says."""
    if typed.values.get("checklist_id") != str(one.id) or (_is_present(order, one) and not refusal):
        return []
    answers = {answer.item: answer for answer in one.answers}
    kept = []
    for item in one.items:
        known = answers.get(item.key)
        before = ("", "") if known is None else (say_value(known.value), known.remark)
        value, remark = said = tuple(typed.values.get(f"{part}.{item.key}", "").strip() for part in ("value", "remark"))
        if said != before and any(said):
            words = (_say_typed(view, item, value) if value else "", remark)
            kept.append((item.text["zh" if view.language == "zh" else "en"], " · ".join(filter(None, words))))
    return kept


def _say_typed(view: View, item: ItemShape, value: str) -> str:
    return view.t("order_list.yes" if value == "true" else "order_list.no") if item.kind is ItemKind.CHECK else value


def _find_line(
    view: View,
    item: ItemShape,
    answer: AnswerShape | None,
    pictures: list[tuple[str, str]],
    zone: str | None,
    typed: Typed,
) -> dict[str, Any]:
    stored = "" if answer is None else say_value(answer.value)
    names = dict(pictures)
    return {
        "key": item.key,
        "kind": item.kind.value,
        "text": item.text["zh" if view.language == "zh" else "en"],
        "required": item.required,
        "limits": _say_limits(view, item),
        "low": "" if item.low is None else f"{item.low:g}",
        "high": "" if item.high is None else f"{item.high:g}",
        "unit": item.unit,
        "stored": stored,
        "value": typed.values.get(f"value.{item.key}", stored),
        "value_wrong": typed.wrong.get(f"value.{item.key}", ""),
        "remark": typed.values.get(f"remark.{item.key}", "" if answer is None else answer.remark),
        "remark_wrong": typed.wrong.get(f"remark.{item.key}", ""),
        "answer": None
        if answer is None
        else {
            "says": _say_answer(view, item, answer, names),
            "is_ok": answer.is_ok,
            "remark": answer.remark,
            "who": view.who(answer.answered_by),
            "at": view.when(answer.answered_at, zone),
        },
    }


def say_value(value: bool | float | str) -> str:
    """An answer as a form's field holds it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"


def _say_answer(view: View, item: ItemShape, answer: AnswerShape, pictures: Mapping[str, str]) -> str:
    if item.kind is ItemKind.CHECK:
        return view.t("order_list.yes") if answer.value is True else view.t("order_list.no")
    if item.kind is ItemKind.NUMBER:
        return f"{answer.value} {item.unit}".strip()
    if item.kind is ItemKind.PHOTO:
        return pictures.get(str(answer.value), view.t("order_list.picture", id=answer.value))
    return str(answer.value)


def _say_limits(view: View, item: ItemShape) -> str:
    unit = f" {item.unit}" if item.unit else ""
    if item.low is not None and item.high is not None:
        return view.t("order_list.between", low=f"{item.low:g}", high=f"{item.high:g}{unit}")
    if item.low is not None:
        return view.t("order_list.at_least", low=f"{item.low:g}{unit}")
    if item.high is not None:
        return view.t("order_list.at_most", high=f"{item.high:g}{unit}")
    return unit.strip()
