"""The UCUM units that a profile may name. Case-sensitive, as UCUM's `c/s` codes are."""

from difflib import get_close_matches

# What sensors of medical devices and their test beds report. A unit that is missing here is added here, with its
# UCUM code: a free text would make unit conversion at the edge impossible.
KNOWN_UNITS: frozenset[str] = frozenset(
    {
        "1", "%", "[ppm]", "[ppb]",
        "A", "mA", "uA", "V", "mV", "kV", "W", "mW", "kW", "Ohm", "mOhm", "kOhm", "MOhm", "F", "uF", "Hz", "kHz", "MHz",
        "A.h", "mA.h", "W.h", "kW.h", "J", "mJ", "kJ", "C", "mC", "T", "mT",
        "Pa", "hPa", "kPa", "MPa", "bar", "mbar", "atm", "mm[Hg]", "cm[H2O]", "[psi]",
        "cm[H2O].s/L", "cm[H2O]/L", "mL/cm[H2O]",
        "L", "mL", "uL", "L/min", "L/h", "L/s", "mL/min", "mL/h", "mL/s", "m3/h",
        "Cel", "K", "[degF]",
        "m", "cm", "mm", "um", "nm", "m/s", "mm/s", "m/s2", "mm/s2", "[g]",
        "/min", "/s", "/h", "rad/s", "deg", "rad",
        "kg", "g", "mg", "ug", "N", "mN", "N.m", "mN.m", "N.cm",
        "s", "ms", "us", "min", "h", "d",
        "mol/L", "mmol/L", "mS/cm", "uS/cm", "[pH]", "Gy", "mGy", "Sv", "mSv", "uSv/h", "lx", "cd", "lm",
        "dB", "dB[SPL]",
    }
)  # fmt: skip


def find_nearest_unit(unit: str) -> str | None:
    """The known unit that a misspelt one most likely means, or None."""
    same_letters = sorted(known for known in KNOWN_UNITS if known.casefold() == unit.casefold())
    if same_letters:
        return same_letters[0]
    common = {"°C": "Cel", "C°": "Cel", "degC": "Cel", "celsius": "Cel", "rpm": "/min", "bpm": "/min", "g": "[g]"}
    common |= {"mmHg": "mm[Hg]", "cmH2O": "cm[H2O]", "psi": "[psi]", "Ah": "A.h", "mAh": "mA.h", "Wh": "W.h"}
    common |= {
        "m/s²": "m/s2",
        "m/s^2": "m/s2",
        "ppm": "[ppm]",
        "Ω": "Ohm",
        "ohm": "Ohm",
        "pH": "[pH]",
        "l/min": "L/min",
    }
    if unit in common:
        return common[unit]
    close = get_close_matches(unit, sorted(KNOWN_UNITS), n=1, cutoff=0.7)
    return close[0] if close else None
