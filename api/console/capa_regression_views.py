"""What a firmware's CAPA was proposed by: each signal and each rate before and after the update, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.capa_figures import say_figure, say_interval, say_probability
from api.console.order_rows import find_fault
from api.console.page import View
from domain.profile import Profile
from domain.sentences import find_unit_sign
from store.capas import Capa


@dataclass(frozen=True, slots=True)
class Regression:
    """What differs before and after a firmware update, as a table."""

    explain: str
    columns: list[str]
    rows: list[list[str]]


def find_regression(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> Regression | None:
    """What was compared before and after a firmware update; None where nothing was."""
    found = capa.statistics.get("regression")
    if not found:
        return None
    names = ("subject", "before", "after", "effect", "interval", "share", "p_compared", "q")
    return Regression(
        explain=view.t(
            "capa.regression_explain",
            devices=found["devices"],
            controls=found["controls"],
            hours=say_figure(found["device_hours"], 0),
        ),
        columns=[view.t(f"capa.col_{name}") for name in names],
        rows=[_find_regression_row(view, capa, line, profiles) for line in found["lines"]],
    )


def _find_regression_row(view: View, capa: Capa, line: Mapping[str, Any], profiles: Mapping[str, Profile]) -> list[str]:
    profile = profiles.get(capa.model)
    sensor = None if profile is None else profile.find_sensor(line["subject"])
    is_rate = line["measure"] == "rate"
    if is_rate:
        subject = find_fault(view, profiles, capa.model, line["subject"])
    else:
        subject = str(line["subject"]) if sensor is None else str(getattr(sensor.label, view.language, sensor.label.en))
    unit = "" if is_rate else f" {find_unit_sign(line['unit'])}"
    decimals = 2 if sensor is None else sensor.decimals + 1
    return [
        view.t(f"capa.measure_{line['measure']}", subject=subject),
        f"{say_figure(line['before'], decimals)}{unit}",
        f"{say_figure(line['after'], decimals)}{unit}",
        f"× {say_figure(line['effect'], 1)}" if is_rate else f"{line['effect']:+,.{decimals}f}{unit}",
        say_interval(line["low"], line["high"], decimals, sign="" if is_rate else "+"),
        "–" if line["share"] is None else f"{line['share']:.0%}",
        say_probability(line["p"]),
        say_probability(line["q"]),
    ]
