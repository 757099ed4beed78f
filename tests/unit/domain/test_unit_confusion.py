import pytest

from domain.ucum import KNOWN_UNITS
from domain.unit_confusion import GROUPS, LEAST_FACTOR, find_confusions
from domain.unit_conversion import Conversion, find_conversion


@pytest.mark.parametrize("unit", [unit for group in GROUPS for unit in group])
def test_every_confusion_is_what_ucum_says_of_the_two_units(unit: str) -> None:
    assert unit in KNOWN_UNITS
    for confusion in find_confusions(unit):
        expected = find_conversion(unit, confusion.unit)
        assert isinstance(expected, Conversion)
        for value in (1.0, 36.6, 250.0):
            assert confusion.factor * value + confusion.offset == pytest.approx(expected.convert(value), rel=1e-6)
        assert confusion.offset or not 1.0 / LEAST_FACTOR < confusion.factor < LEAST_FACTOR


def test_no_unit_is_in_two_groups_and_unknown_ones_are_confused_with_nothing() -> None:
    units = [unit for group in GROUPS for unit in group]
    assert len(units) == len(set(units))
    assert find_confusions("%") == find_confusions("mL/h") == find_confusions("") == ()
