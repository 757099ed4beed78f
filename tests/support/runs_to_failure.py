"""Units that wear out, made up: a hidden wear that grows until it reaches one, read by sensors in several regimes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMNS = ("load", "heat", "sound", "speed", "plate")
Rows = list[list[str]]


def make_runs(units: int, seed: int, *, regimes: int = 1, shortest: int = 60, longest: int = 120) -> Rows:
    """Rows of unit, cycle and COLUMNS, as text: `load` is set, `heat`, `sound`, `speed` are measured, `plate` rests."""
    rng = np.random.default_rng(seed)
    rows: Rows = []
    for number in range(units):
        life = int(rng.integers(shortest, longest + 1))
        cycle = np.arange(1, life + 1)
        wear: NDArray[np.float64] = np.expm1(3.0 * cycle / life) / np.expm1(3.0)
        load = rng.integers(0, regimes, life) * 10.0
        heat = 80.0 + 3.0 * load + (8.0 + 0.2 * load) * wear + rng.normal(0.0, 0.8, life)
        sound = 5.0 - 0.1 * load + 3.0 * wear + rng.normal(0.0, 0.4, life)
        speed = 1000.0 + 50.0 * load - 20.0 * wear + rng.normal(0.0, 3.0, life)
        for i in range(life):
            cells = (load[i], heat[i], sound[i], speed[i], 7.0)
            rows.append([f"U{number:03d}", str(cycle[i]), *(f"{cell:.4f}" for cell in cells)])
    return rows


def write_runs(file: Path, rows: Rows, columns: Sequence[str] = ("unit", "cycle", *COLUMNS)) -> Path:
    """The rows as a CSV with this header."""
    file.write_text("\n".join(",".join(row) for row in [list(columns), *rows]) + "\n", encoding="utf-8")
    return file
