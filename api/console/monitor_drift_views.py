"""Drift of one monitor over the days: charts, and the same as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from api.console.charts import find_breaches, find_line, find_range
from api.console.monitor_words import name_subject
from api.console.page import View
from api.shapes.monitors import DriftShape
from domain.profile import Profile

WATCH_PSI, DRIFT_PSI = 0.1, 0.25
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class DriftView:
    """One subject over the days: a chart, and the same as a table."""

    key: str
    label: str
    is_simulated: bool
    data: dict[str, Any]
    rows: list[dict[str, Any]]
    of_firmware: list[dict[str, Any]]
    state: str


def find_drift(view: View, profile: Profile, days: Sequence[DriftShape]) -> list[DriftView]:
    """Each subject of each fleet over all days, scores first; single firmware versions below it where they moved."""
    keys = dict.fromkeys((d.is_simulated, d.kind != "score", d.kind, d.subject) for d in days)
    views = []
    for place, (is_simulated, _, kind, subject) in enumerate(sorted(keys)):
        own = [d for d in days if (d.is_simulated, d.kind, d.subject) == (is_simulated, kind, subject)]
        together = sorted((d for d in own if not d.firmware), key=lambda d: d.day)
        if not together:
            continue
        views.append(
            DriftView(
                key=f"drift-{place}",
                label=name_subject(view, profile, together[-1]),
                is_simulated=is_simulated,
                data=_find_chart(view, together),
                rows=[_find_day(d) for d in reversed(together)],
                of_firmware=[{"firmware": d.firmware, **_find_day(d)} for d in _find_newest(own)],
                state=together[-1].state,
            )
        )
    return views


def _find_newest(days: Sequence[DriftShape]) -> list[DriftShape]:
    newest: dict[str, DriftShape] = {}
    for day in sorted(days, key=lambda d: d.day, reverse=True):
        if day.firmware:
            newest.setdefault(day.firmware, day)
    return list(newest.values())


def _find_day(d: DriftShape) -> dict[str, Any]:
    return {
        "day": d.day.isoformat(),
        "psi": f"{d.psi:.3f}",
        "usual": f"{d.usual_psi:.3f}",
        "devices": d.devices,
        "state": d.state,
    }


def _find_chart(view: View, days: Sequence[DriftShape]) -> dict[str, Any]:
    x = [datetime.combine(d.day, time(12), UTC).timestamp() for d in days]
    line = find_line(x, [d.psi for d in days], DAY_S)
    drifting = dict(zip(x, (d.state == "DRIFT" for d in days), strict=True))
    limits = [
        {"kind": "clear", "value": WATCH_PSI, "label": view.name("drift", "WATCH")},
        {"kind": "raise", "value": DRIFT_PSI, "label": view.name("drift", "DRIFT")},
    ]
    return {
        "x": line.x,
        "y": line.y,
        "breach": find_breaches(line.y, [drifting.get(at, False) for at in line.x]),
        "range": find_range([*line.y, 0.0], [WATCH_PSI, DRIFT_PSI], reach=None),
        "extent": [min(x[0], x[-1] - 59 * DAY_S), x[-1] + DAY_S / 2],
        "gaps": line.gaps,
        "limits": limits,
        "marks": [],
        "zone": "UTC",
        "decimals": 3,
        "unit": "",
    }
