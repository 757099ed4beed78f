"""Parts of the overviews as the contract has them, with what the caller may not see left out and named."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol, TypeVar

from api.auth import Caller
from api.shapes.overview_lines import (
    BreachLineShape,
    ForecastLineShape,
    OrderLineShape,
    Part,
    PlannedLineShape,
)
from api.shapes.overviews import ContractLineShape
from api.shapes.pages import Shape
from api.shapes.risk import DueShape, ReasonShape, RiskShape
from domain.due_date import find_due_date
from domain.masking import find_masked_fields, mask_record
from domain.risk import Risk, find_hidden_troubles
from domain.roles import Permission
from domain.sentences import LANGUAGES, render
from store.customer_standing import ContractLine
from store.overview_orders import OrderLine, PlannedLine
from store.overview_records import BreachLine

# Parts of an overview, and the right that shows each.
PART_RIGHTS = {
    "capas": Permission.CAPA_READ,
    "field_actions": Permission.FIELD_ACTION_READ,
    "complaints": Permission.COMPLAINT_READ,
}
ORDER_FIELDS = ("assignee", "assignee_name")


class Counted(Protocol):
    """A line that says how many there are in all."""

    @property
    def total(self) -> int: ...


AnyLine = TypeVar("AnyLine", bound=Counted)
AnyShape = TypeVar("AnyShape", bound=Shape)


def find_hidden(caller: Caller, *fields: str) -> list[str]:
    """What an overview with these fields (record.field) does not show the caller: fields, parts, kinds of trouble."""
    masked = [
        name
        for name in fields
        if name.partition(".")[2] in find_masked_fields(name.partition(".")[0], caller.permissions)
    ]
    parts = [part for part, right in PART_RIGHTS.items() if not caller.may(right)]
    return sorted({*masked, *parts, *find_hidden_troubles(caller.permissions)})


def shape_risk(risk: Risk) -> RiskShape:
    """The risk with its leading reasons in words."""
    reasons = [
        ReasonShape(
            code=reason.code,
            points=reason.points,
            params=dict(reason.params),
            sentence={language: reason.say(language) for language in LANGUAGES},
        )
        for reason in risk.leading
    ]
    return RiskShape(score=risk.score, reasons=reasons, more_reasons=len(risk.reasons) - len(reasons))


def shape_due(on: date | None, today: date, soon_days: int) -> DueShape:
    """An end, and how far off it is."""
    return DueShape.model_validate(find_due_date(on, today, soon_days))


def shape_part(shape: type[AnyShape], lines: Sequence[AnyLine]) -> Part[AnyShape]:
    """Lines whose fields are those of their shape."""
    return _make_part(lines, shape.model_validate)


def shape_orders(lines: Sequence[OrderLine], caller: Caller) -> Part[OrderLineShape]:
    """Orders with their titles in words, without people whom the caller does not see."""

    def shape(line: OrderLine) -> OrderLineShape:
        values = {name: getattr(line, name) for name in OrderLineShape.model_fields if name != "title"}
        title = {language: render(line.title_code, line.title_params, language) for language in LANGUAGES}
        return OrderLineShape(**mask_record("work_order", values, caller.permissions), title=title)

    return _make_part(lines, shape)


def shape_planned(lines: Sequence[PlannedLine]) -> Part[PlannedLineShape]:
    """Planned work with how far off it is where the device stands."""

    def shape(line: PlannedLine) -> PlannedLineShape:
        values = {name: getattr(line, name) for name in PlannedLineShape.model_fields if name != "days_left"}
        return PlannedLineShape(**values, days_left=find_due_date(line.due_on, line.today, 0).days_left)

    return _make_part(lines, shape)


def shape_breaches(lines: Sequence[BreachLine]) -> Part[BreachLineShape]:
    """Breaches with what happened in words."""

    def shape(line: BreachLine) -> BreachLineShape:
        values = {name: getattr(line, name) for name in BreachLineShape.model_fields if name != "sentence"}
        sentence = {language: render(line.reason_code, line.params, language) for language in LANGUAGES}
        return BreachLineShape(**values, sentence=sentence)

    return _make_part(lines, shape)


def shape_forecasts(lines: Sequence[BreachLine], at: datetime) -> list[ForecastLineShape]:
    """What the active FORECAST breaches say of the time that is left, the soonest first."""
    shapes = []
    for line in lines:
        hours = line.forecast.get("hours_to_limit")
        if line.kind != "FORECAST" or not isinstance(hours, int | float) or not 0 <= hours < 1_000_000:
            continue
        expected = line.forecast_at + timedelta(hours=hours)
        shapes.append(
            ForecastLineShape(
                breach_id=line.id,
                sensor=line.sensor,
                monitor=line.monitor,
                fault_group=line.fault_group,
                at=line.forecast_at,
                hours_to_limit=hours,
                hours_low=line.forecast.get("hours_low"),
                hours_high=line.forecast.get("hours_high"),
                expected_at=expected,
                is_passed=expected <= at,
            )
        )
    return sorted(shapes, key=lambda shape: (shape.expected_at, shape.breach_id))


def shape_contract(line: ContractLine | None, at: datetime) -> ContractLineShape | None:
    """The contract with how far off its end is."""
    if line is None:
        return None
    values: dict[str, Any] = {name: getattr(line, name) for name in ContractLineShape.model_fields if name != "end"}
    return ContractLineShape(**values, end=shape_due(line.ends_on, at.astimezone(UTC).date(), line.remind_days))


def _make_part(lines: Sequence[AnyLine], shape: Callable[[AnyLine], AnyShape]) -> Part[AnyShape]:
    return Part(total=lines[0].total if lines else 0, items=[shape(line) for line in lines])
