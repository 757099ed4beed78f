"""The figures of one sentence together: what a reader compares has the same decimals, and enough of them."""

from collections.abc import Mapping
from typing import Any

from domain.figures import find_limit_decimals, find_telling_decimals

# What is compared with what, by the names of the parameters; the first that a sentence has is the one that counts.
COMPARED: dict[str, tuple[str, ...]] = {
    "limit": ("peak", "value", "level", "rate"),
    "critical": ("score",),
    "expected": ("value",),
    "before": ("value",),
}
EXACT = ("limit", "critical")  # what somebody has set, and no reading
SCORE_DECIMALS = 1
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError)


def align_figures(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a sentence, those of one unit that it compares with as many decimals as that needs.

    These are the decimals of the signal, more where the limit has more, and more where a value would be said as if it
    stood at its limit. Never an exception: what another program wrote in another form stays as it is.
    """
    kept = dict(params)
    beside = next((name for name in COMPARED if name in kept), None)
    if beside is None:
        return kept
    values = [name for name in COMPARED[beside] if name in kept]
    if "rate" in values:
        values = ["rate"]  # the limit is one of the rate, and none of the value beside it
    try:
        unit = _read_unit(kept[beside])
        alike = [beside, *(name for name in values if _read_unit(kept[name]) == unit)]
        figures = {name: _read_figure(kept[name]) for name in alike}
        decimals = max(_read_decimals(kept[name]) for name in alike)
    except UNREADABLE:
        return kept
    if beside in EXACT:
        decimals = find_limit_decimals(figures[beside], decimals)
    for figure in figures.values():
        decimals = find_telling_decimals(figure, [figures[beside]], decimals)
    return kept | {name: {"value": figures[name], "unit": unit, "decimals": decimals} for name in alike}


def is_at_limit(params: Mapping[str, Any]) -> bool:
    """Whether what breached stands exactly at its limit, from which on it counts: it is not "above" it."""
    try:
        value, limit = params.get("peak", params.get("value")), params["limit"]
        return _read_figure(value) == _read_figure(limit) and _read_unit(value) == _read_unit(limit)
    except UNREADABLE:
        return False


def _read_figure(param: Any) -> float:
    return float(param["value"] if isinstance(param, Mapping) else param)


def _read_unit(param: Any) -> str:
    return str(param["unit"]) if isinstance(param, Mapping) else ""


def _read_decimals(param: Any) -> int:
    return int(param["decimals"]) if isinstance(param, Mapping) else SCORE_DECIMALS
