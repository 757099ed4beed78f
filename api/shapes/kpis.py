"""Key figures, each with what it means and what it was made of."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.shapes.pages import Shape


class KpiText(Shape):
    """In both languages."""

    en: str
    zh: str


class KpiFigureShape(Shape):
    """One number: `numerator` over `denominator`. It is null with a `reason` where there is nothing to divide by."""

    period: str = Field(
        description='"" where the time is not cut; else 2026, 2026-Q4, 2026-11, 2026-W47 or 2026-11-22.'
    )
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    customer: str | None = Field(description='Code; null: not grouped by it; "": none.')
    region: str | None
    model: str | None
    firmware: str | None
    simulated: bool = Field(description="Simulated records are counted apart, never together with real ones.")
    value: float | None
    numerator: float
    denominator: float
    records: int = Field(description="How many records the number rests on.")
    left_out: int = Field(description="Records of the period that do not count, or are not decided yet.")
    median: float | None = Field(description="Of times and ages; else null.")
    p90: float | None = Field(description="Of times and ages: nine of ten are shorter.")
    reason: str | None = Field(
        description="no_records, undecided, nothing_to_divide_by, too_little_exposure, not_by_customer or "
        "permission_missing."
    )
    detail: list[dict[str, Any]] = Field(
        default_factory=list, description="Of alarm_top_ten: the ten origins with their alarms."
    )


class KpiShape(Shape):
    """A key figure as it is published."""

    key: str = Field(examples=["first_time_fix"])
    name: KpiText
    definition: KpiText
    numerator: KpiText
    denominator: KpiText
    unit: str = Field(description="UCUM; 1 is a share.", examples=["h"])
    better: str = Field(description="HIGHER or LOWER.")
    figures: list[KpiFigureShape]


class Kpis(Shape):
    """What was asked, and the figures, all of the same instant."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    computed_at: datetime
    group_by: list[str]
    items: list[KpiShape]
