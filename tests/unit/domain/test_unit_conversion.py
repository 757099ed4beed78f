"""Units into units: the values that tables print, back and forth, and nothing that only looks alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ucum import KNOWN_UNITS
from domain.unit_conversion import LONGEST_UNIT, Conversion, find_conversion


# Source: NIST Special Publication 811 (2008), appendix B; where the factor is a definition it is exact.
@pytest.mark.parametrize(
    ("value", "source", "target", "converted"),
    [
        (98.6, "[degF]", "Cel", 37.0),
        (37, "Cel", "[degF]", 98.6),
        (300, "K", "Cel", 26.85),
        (2, "bar", "kPa", 200.0),
        (1, "atm", "kPa", 101.325),
        (760, "mm[Hg]", "kPa", 101.325014435),
        (10, "cm[H2O]", "mbar", 9.80665),
        (1, "[psi]", "kPa", 6.89475729317),
        (1, "mL/min", "L/h", 0.06),
        (90, "/min", "Hz", 1.5),
        (7_200_000, "W.s", "kW.h", 2.0),
        (1, "[g]", "m/s2", 9.80665),
        (0.5, "1", "%", 50.0),
        (21, "%", "[ppm]", 210_000.0),
        (180, "deg", "rad", 3.14159265359),
        (72, "{beats}/min", "/min", 72.0),
        (1500, "uSv/h", "mSv/h", 1.5),
    ],
)
def test_values_as_tables_print_them(value: float, source: str, target: str, converted: float) -> None:
    conversion = find_conversion(source, target)
    assert isinstance(conversion, Conversion)
    assert conversion.convert(value) == converted


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("L", "kg"),
        ("Cel", "V"),
        ("dB", "1"),  # relative to what, it does not say
        ("dB[SPL]", "Pa"),
        ("rad/s", "/min"),  # revolutions are not radians
        ("deg", "1"),
        ("Gy", "Sv"),  # the dose is not its effect
        ("Bq", "Hz"),
        ("lm", "cd"),
        ("lx", "cd/m2"),
        ("[pH]", "1"),
        ("mmHg", "kPa"),
        ("°C", "Cel"),
        ("Cel/min", "K/s"),
        ("", "1"),
        ("{x}", "1"),
        ("10*999", "1"),
        ("10*99999999", "1"),
        ("m9999999", "m"),
        ("(" * LONGEST_UNIT, "m"),
        ("m" * (LONGEST_UNIT + 1), "m"),
    ],
)
def test_what_only_looks_alike_is_not_converted(source: str, target: str) -> None:
    assert find_conversion(source, target) in ("which is no UCUM unit", "which cannot be converted")


def test_every_unit_of_a_profile_is_itself() -> None:
    for unit in sorted(KNOWN_UNITS):
        conversion = find_conversion(unit, unit)
        assert isinstance(conversion, Conversion)
        assert conversion.convert(36.6) == 36.6


@given(
    st.sampled_from(
        [("kPa", "mm[Hg]"), ("Cel", "[degF]"), ("mL/h", "L/min"), ("mV", "kV"), ("d", "s"), ("%", "[ppb]")]
    ),
    st.floats(-1e6, 1e6),
)
@settings(max_examples=60, deadline=None)
def test_there_and_back_again(pair: tuple[str, str], value: float) -> None:
    there, back = find_conversion(*pair), find_conversion(*reversed(pair))
    assert isinstance(there, Conversion)
    assert isinstance(back, Conversion)
    # What an offset takes away from a small value, no factor brings back: 12 digits of the greater of the two.
    scale = max(abs(value), abs(back.offset), abs(there.convert(value) * back.factor))
    assert back.convert(there.convert(value)) == pytest.approx(value, abs=1e-10 * scale + 1e-300)


@given(st.text(max_size=50), st.sampled_from(sorted(KNOWN_UNITS)))
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_unit_or_none(text: str, unit: str) -> None:
    assert isinstance(find_conversion(text, unit), Conversion | str)
