"""Figures of a CAPA as its pages write them: what is not known is a dash, and no rate is made up of less than a day."""

import math
from typing import Any

from domain.exposure import say_device_days


def say_figure(value: Any, decimals: int) -> str:
    """The figure with so many decimals."""
    return "–" if value is None else f"{float(value):,.{decimals}f}"


def say_interval(low: Any, high: Any, decimals: int, sign: str = "") -> str:
    """Both ends; where the upper one is infinite, from where on. A difference (`sign` "+") has its sign at both."""
    if low is None:
        return "–"
    ends = [f"{float(end):{sign},.{decimals}f}" for end in (low, high) if end is not None and math.isfinite(end)]
    return " – ".join(ends) if len(ends) == 2 else f"≥ {ends[0]}"


def say_days(value: Any) -> str:
    """Device-days, whole ones."""
    return "–" if value is None else say_device_days(float(value))


def say_rate(value: Any) -> str:
    """Per 1,000 device-days, as it is stored."""
    return "–" if value is None else f"{float(value):,.2f}"


def say_probability(value: Any) -> str:
    """A probability with four decimals; a smaller one is below them."""
    if value is None:
        return "–"
    return "< 0.0001" if float(value) < 0.0001 else f"{float(value):.4f}"
