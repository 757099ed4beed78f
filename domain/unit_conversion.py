"""From one UCUM unit to another: value * factor + offset, found once for each pair by a library that knows UCUM."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ucumvert import PintUcumRegistry

LONGEST_UNIT = 40  # characters; the longest in the catalogue of units has 11
KEPT_PAIRS = 4_096

# To UCUM these are plain numbers or share their dimension with something else. Revolutions are not radians and a
# sievert is no gray, so nothing is converted from a unit that has one of them to a unit that has not.
_APART = {
    "angle": ("radian", "degree", "gon", "arcminute", "arcsecond", "arc_minute", "arc_second"),
    "solid angle": ("steradian", "lumen", "lux"),
    "dose equivalent": ("sievert", "rem"),
    "activity": ("becquerel", "curie"),
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """In the target's unit a value is `value * factor + offset`."""

    factor: float = 1.0
    offset: float = 0.0

    def convert(self, value: float) -> float:
        """The value in the target's unit, to 12 digits: 98.6 [degF] are 37 Cel, not 36.99999999999999."""
        return float(f"{value * self.factor + self.offset:.12g}")


@lru_cache(maxsize=KEPT_PAIRS)
def find_conversion(source: str, target: str) -> Conversion | str:
    """How values in one unit become values in the other, or why they cannot, as the end of a sentence.

    Logarithmic units (dB, pH) convert to themselves alone: what their reference is, a unit does not say.
    """
    if source == target:
        return Conversion()
    if not source.isascii() or len(source) > LONGEST_UNIT:
        return "which is no UCUM unit"
    registry = _load_registry()
    try:
        unit = registry.from_ucum(source).units
        wanted = registry.from_ucum(target).units
    except Exception:  # noqa: BLE001 a stranger's text in a library's parser: whatever it raises means the same
        return "which is no UCUM unit"
    if _find_kinds(str(unit)) != _find_kinds(str(wanted)):
        return "which cannot be converted"
    try:
        from_zero, from_one, from_thousand = (
            registry.Quantity(magnitude, unit).to(wanted).magnitude
            for magnitude in (Decimal(0), Decimal(1), Decimal(1000))
        )
        factor, offset = from_one - from_zero, from_zero
        is_linear = abs(from_thousand - (offset + 1000 * factor)) <= abs(factor) * Decimal("1e-15")
        if not is_linear or not _SMALLEST < abs(factor) < _LARGEST or not abs(offset) < _LARGEST:
            return "which cannot be converted"
        return Conversion(float(factor), float(offset))
    except Exception:  # noqa: BLE001 dimensions that differ, logarithms, numbers without end
        return "which cannot be converted"


_SMALLEST, _LARGEST = Decimal("1e-300"), Decimal("1e300")


def _find_kinds(unit: str) -> set[str]:
    words = re.findall(r"\w+", unit)
    return {kind for kind, names in _APART.items() if any(word.endswith(names) for word in words)}


@cache
def _load_registry() -> "PintUcumRegistry":
    # Imported late: it takes half a second, which only those pay whose devices send other units than their profile's.
    from ucumvert import PintUcumRegistry

    # Decimals, which find the last digit of a factor right.
    return PintUcumRegistry(non_int_type=Decimal)
