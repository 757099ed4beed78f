"""When a sensor will reach its limits."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.shapes.pages import Shape


class TrendShape(Shape):
    """A significant trend, in the sensor's unit; low and high hold the truth in about 8 of 10 cases."""

    per_day: float
    per_day_low: float
    per_day_high: float
    level: float = Field(description="Of the line now.")


class LimitForecast(Shape):
    """One limit of the sensor's monitors, and when the trend reaches it."""

    monitor: str
    rule: Literal["limit", "forecast"]
    direction: Literal["high", "low"]
    limit: float
    is_critical: bool = Field(description="The critical limit of that monitor, not the one that raises.")
    window_h: float = Field(description="The history that the trend was taken from.")
    lead_time_h: float | None = Field(description="How long before the limit service must know; of forecast monitors.")
    state: Literal["reached", "approaching", "not_approaching", "no_trend", "unknown"] = Field(
        description="`not_approaching`: there is a trend, and it leads away. `no_trend`: none is significant. "
        "`unknown`: too few data, or none that are recent."
    )
    trend: TrendShape | None
    hours_to_limit: float | None
    hours_low: float | None
    hours_high: float | None = Field(description="null although it approaches: perhaps never.")
    sentence: dict[str, str] = Field(description="The same in words, by language.")


class SensorForecast(Shape):
    """When a sensor will reach its limits, if its trend goes on as it is."""

    serial: str
    sensor: str
    unit: str
    at: datetime
    history_from: datetime | None = Field(
        description="Readings before it are left out: new firmware, or work that was done. null: none are."
    )
    limits: list[LimitForecast] = Field(description="Empty where no monitor has a limit on the sensor.")
