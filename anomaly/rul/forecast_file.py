"""Forecasts as a file: one line for every line that was read, in the same order."""

import csv
from pathlib import Path

import numpy as np

from anomaly.rul.model import Forecast
from anomaly.rul.run_table import RunTable


def record_forecast(table: RunTable, forecast: Forecast, file: Path) -> None:
    """Writes unit, cycle, rul, low and high; cycles as whole numbers where they are."""
    place = np.argsort(table.source_rows)
    units = table.unit_of_row
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("unit", "cycle", "rul", "low", "high"))
        for row in place:
            cycle = float(table.cycle[row])
            writer.writerow(
                (
                    table.unit_names[units[row]],
                    int(cycle) if cycle.is_integer() else cycle,
                    f"{forecast.rul[row]:.3f}",
                    f"{forecast.low[row]:.3f}",
                    f"{forecast.high[row]:.3f}",
                )
            )
