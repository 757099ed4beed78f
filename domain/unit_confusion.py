"""Which units a sensor's values may turn out to be in when nobody says so, and by what its values change then. Pure."""

from dataclasses import dataclass

LEAST_FACTOR = 5.0  # a smaller step between two units is one that a fault, or a user, makes as well
# Rates, flows and volumes are missing on purpose: users set them, and a step from 60 mL/h to 1 is one of theirs.
# By what a value is multiplied (and what is added) to be in the first unit of its group. A group holds what one kind of
# signal is usually reported in. `tests/unit/domain/test_unit_confusion.py` checks each against `find_conversion`.
GROUPS: tuple[dict[str, tuple[float, float]], ...] = (
    {"Cel": (1.0, 0.0), "[degF]": (5.0 / 9.0, -160.0 / 9.0), "K": (1.0, -273.15)},
    {
        "kPa": (1.0, 0.0),
        "Pa": (0.001, 0.0),
        "hPa": (0.1, 0.0),
        "mbar": (0.1, 0.0),
        "bar": (100.0, 0.0),
        "MPa": (1000.0, 0.0),
        "mm[Hg]": (0.133322387415, 0.0),
        "cm[H2O]": (0.0980665, 0.0),
        "[psi]": (6.894757293168361, 0.0),
    },
    {"A": (1.0, 0.0), "mA": (0.001, 0.0), "uA": (1e-6, 0.0)},
    {"V": (1.0, 0.0), "mV": (0.001, 0.0), "kV": (1000.0, 0.0)},
    {"W": (1.0, 0.0), "mW": (0.001, 0.0), "kW": (1000.0, 0.0)},
    {"Ohm": (1.0, 0.0), "mOhm": (0.001, 0.0), "kOhm": (1000.0, 0.0)},
    {"m/s2": (1.0, 0.0), "mm/s2": (0.001, 0.0), "[g]": (9.80665, 0.0)},
    {"m/s": (1.0, 0.0), "mm/s": (0.001, 0.0)},
)


@dataclass(frozen=True, slots=True)
class Confusion:
    """What was v in the sensor's own unit reads v * factor + offset in `unit`."""

    unit: str
    factor: float
    offset: float


def find_confusions(unit: str) -> tuple[Confusion, ...]:
    """All units that values of this one may turn out to be in; none where no other is usual."""
    for group in GROUPS:
        if unit in group:
            factor, offset = group[unit]
            return tuple(
                Confusion(other, factor / f, (offset - o) / f)
                for other, (f, o) in group.items()
                if other != unit and (offset != o or not 1.0 / LEAST_FACTOR < factor / f < LEAST_FACTOR)
            )
    return ()
