"""Cycles until a battery's capacity falls below 1.4 Ah (NASA), without a failure of the same battery to learn from.

    python -m benchmarks.rul_battery --data $FOREWARN_DATA [--json]

At each cycle from 40 % of a battery's life on, from the cycles before it and from the courses of the other batteries
(leave one battery out); life is the number of cycles up to the first below the limit. A battery that never falls below
it is no question, but helps with the others. `own trend` is the same without the other batteries, `straight line` is
least squares over all cycles so far.
"""

import argparse
import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.rul.similar import find_pooled_time
from anomaly.rul.trend import TimeToLimit
from benchmarks.rul_scores import find_coverage, find_share_within
from domain.profile import Direction

Floats = NDArray[np.float64]
Course = tuple[Floats, Floats]
Method = Callable[[Floats, Floats, Sequence[Course]], TimeToLimit | None]

LIMIT_AH = 1.4
FIRST_SHARE = 0.4


def load_courses(file: Path) -> dict[str, Course]:
    """Cycle numbers and capacities of each battery."""
    rows: dict[str, list[tuple[float, float]]] = {}
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["battery"], []).append((float(row["cycle_num"]), float(row["capacity"])))
    return {name: (np.asarray([t for t, _ in row]), np.asarray([y for _, y in row])) for name, row in rows.items()}


def find_questions(course: Course, limit: float, first_share: float) -> list[tuple[int, float]]:
    """How many cycles are seen, and how many are left until the first below the limit; none if it never is."""
    t, y = course
    below = np.flatnonzero(y < limit)
    if not below.size:
        return []
    end = float(t[below[0]])
    return [(i + 1, end - float(t[i])) for i in range(int(below[0])) if t[i] >= first_share * end]


def measure_method(courses: dict[str, Course], method: Method) -> dict[str, Any]:
    """The figures of one method, and the mean absolute error of each battery."""
    by_battery: dict[str, float] = {}
    medians, lows, highs, actuals, silent = [], [], [], [], 0
    for name, (t, y) in courses.items():
        errors = []
        others = [course for other, course in courses.items() if other != name]
        for seen, left in find_questions((t, y), LIMIT_AH, FIRST_SHARE):
            found = method(t[:seen], y[:seen], others)
            if found is None:
                silent += 1
                continue
            errors.append(abs(found.median - left))
            medians.append(found.median)
            lows.append(found.low)
            highs.append(found.high)
            actuals.append(left)
        if errors:
            by_battery[name] = round(float(np.mean(errors)), 2)
    predicted, actual = np.asarray(medians), np.asarray(actuals)
    low, high = np.asarray(lows), np.asarray(highs)
    return {
        "forecasts": len(medians),
        "no_trend": silent,
        "mae": round(float(np.mean(np.abs(predicted - actual))), 2),
        "bias": round(float(np.mean(predicted - actual)), 2),
        "within_20_percent": round(find_share_within(predicted, actual, 0.2), 3),
        "coverage": round(find_coverage(low, high, actual), 3),
        "median_width": round(float(np.median(high - low)), 1),
        "mae_by_battery": by_battery,
    }


def forecast_pooled(t: Floats, y: Floats, others: Sequence[Course]) -> TimeToLimit | None:
    """The product's: the newer half and the courses of similar devices."""
    return find_pooled_time(t, y, others, LIMIT_AH, Direction.LOW)


def forecast_alone(t: Floats, y: Floats, others: Sequence[Course]) -> TimeToLimit | None:
    """The product's without similar devices."""
    return find_pooled_time(t, y, (), LIMIT_AH, Direction.LOW)


def forecast_by_line(t: Floats, y: Floats, others: Sequence[Course]) -> TimeToLimit | None:
    """Least squares over all cycles, to compare with; its interval is a point."""
    slope, start = np.polyfit(t, y, 1)
    if slope >= 0:
        return None
    left = max(0.0, float((LIMIT_AH - start) / slope - t[-1]))
    return TimeToLimit(left, left, left)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FOREWARN_DATA"), help="default: $FOREWARN_DATA")
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)
    file = options.data / "nasa_battery" / "discharge_cycles.csv" if options.data else None
    if file is None or not file.exists():
        print("No batteries here: --data (or FOREWARN_DATA) names a folder with nasa_battery/discharge_cycles.csv.")
        print(json.dumps({"skipped": "no data"}))
        return
    courses = load_courses(file)
    found = {
        "pooled": measure_method(courses, forecast_pooled),
        "own_trend": measure_method(courses, forecast_alone),
        "straight_line": measure_method(courses, forecast_by_line),
    }
    if not options.json:
        for name, figures in found.items():
            print(f"{name:14} MAE {figures['mae']:.2f}  within 20 %: {figures['within_20_percent']:.0%}")
    print(json.dumps({"limit_ah": LIMIT_AH, "batteries": len(courses), **found}))


if __name__ == "__main__":
    main()
