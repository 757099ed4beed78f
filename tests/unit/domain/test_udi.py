"""UDI carriers as labels print them and scanners read them."""

from datetime import date

import pytest

from domain.udi import Udi, find_udi_conflicts, normalise_udi, parse_udi

DI = "04012345000016"
PRINTED = f"(01){DI}(11)260115(17)310131(10)L26(21)SN-0001"
SAID = Udi(PRINTED, DI, date(2026, 1, 15), date(2031, 1, 31), "L26", "SN-0001")


@pytest.mark.parametrize(
    "text",
    [
        PRINTED,
        f"  {PRINTED} ",
        f"01{DI}112601151731013110L26\x1d21SN-0001",
        f"]d201{DI}112601151731013110L26\x1d21SN-0001",
        f"\x1d01{DI}112601151731013110L26\x1d21SN-0001",
    ],
)
def test_one_carrier_however_it_is_spelled(text: str) -> None:
    assert parse_udi(text) == SAID
    assert normalise_udi(text) == PRINTED


def test_a_day_of_00_is_the_last_of_the_month() -> None:
    parsed = parse_udi(f"(01){DI}(17)310200")
    assert isinstance(parsed, Udi)
    assert parsed.expires_on == date(2031, 2, 28)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must not be empty"),
        ("SN-0001", "cannot be read"),
        ("(21)SN-0001", "does not say (01)"),
        ("(01)04012345000017(21)X", "check digit"),
        (f"(01){DI}(21)A(21)B", "twice"),
        (f"(01){DI}(17)261331", "cannot be read"),
        ("(01)" + "1" * 200, "more than 200"),
    ],
)
def test_what_cannot_be_used_says_why(text: str, why: str) -> None:
    parsed = parse_udi(text)
    assert isinstance(parsed, str)
    assert why in parsed


@pytest.mark.parametrize("text", ["+H123PARTNO1234567890120/$$420020216LOT123456789012345", "=/A9999XYZ100T0944"])
def test_carriers_of_other_issuers_are_kept_unread(text: str) -> None:
    assert parse_udi(text) == Udi(text)
    assert find_udi_conflicts(Udi(text), model_udi_di=DI, serial="X") == {}


def test_each_part_is_held_against_what_is_known() -> None:
    known = {"lot": "L26", "made_on": date(2026, 1, 15), "expires_on": date(2031, 1, 31)}
    assert find_udi_conflicts(SAID, model_udi_di=DI, serial="SN-0001", **known) == {}  # type: ignore[arg-type]
    assert find_udi_conflicts(SAID, model_udi_di="4012345000016", serial="SN-0001") == {}
    found = find_udi_conflicts(
        SAID,
        model_udi_di="04012345000023",
        serial="SN-0002",
        lot="L27",
        made_on=date(2026, 1, 16),
        expires_on=date(2031, 1, 30),
    )
    assert set(found) == {"udi", "serial", "lot", "made_on", "expires_on"}
    assert "SN-0001" in found["serial"]
