"""How long what is measured and counted is kept."""

from datetime import date, datetime

from pydantic import Field

from api.shapes.pages import Shape
from domain.retention import KeptClass


class KeptClassShape(Shape):
    """One class of what is kept equally long. Days: 0 is for ever."""

    kept: KeptClass = Field(description="The `entity_id` of a request of kind `retention_change`.")
    days: int | None = Field(description="That count from the next round on; null: service-link has not said yet.")
    decided_days: int | None = Field(description="By two people; null: as service-link is set.")
    decided_at: datetime | None
    request: str | None = Field(description="By which it was decided.", examples=["AR-2026-000001"])
    reason: str
    setting_days: int | None = Field(description="What service-link was set to when it last applied it.")
    applied_days: int | None = Field(description="What it applied.")
    applied_at: datetime | None
    fewest_days: int = Field(description="Less cannot be asked for.")
    size: int | None = Field(description="Bytes; null: not known.")
    is_estimate: bool = Field(description="A share of all readings, by how often the sensors report.")
    series: int | None = Field(description="Of readings: how many series are of that class.")
    oldest: date | None = Field(description="The oldest day (UTC) that is there, where that is known.")
    next_removal: date | None = Field(description="When that day goes, once it is rolled up.")


class RetentionShape(Shape):
    """Every class; what is in none of them (orders, CAPAs, evidence, audit) stays for ever."""

    items: list[KeptClassShape]
    readings_size: int = Field(description="Bytes of all readings together.")
    day_size: int = Field(description="Bytes of roll-ups by day, which stay for ever.")
