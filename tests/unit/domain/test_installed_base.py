"""The installed-base CSV: every line is a device or a problem that names its line and field."""

from datetime import date

import pytest

from domain.installed_base import InstalledDevice, parse_installed_base

HEADER = "serial,model,installed_on,customer_ref,site_ref,site_time_zone,is_simulated"


def test_a_full_line_becomes_a_device() -> None:
    devices, problems = parse_installed_base(f"{HEADER}\nSN-1,INF-200,2025-03-01,C1,S1,Asia/Shanghai,true\n")
    assert problems == []
    assert devices == [
        InstalledDevice(
            serial="SN-1",
            model="INF-200",
            installed_on=date(2025, 3, 1),
            customer_ref="C1",
            site_ref="S1",
            site_time_zone="Asia/Shanghai",
            is_simulated=True,
        )
    ]


def test_only_serial_and_model_are_needed_and_a_byte_order_mark_is_no_column() -> None:
    devices, problems = parse_installed_base("\ufeffmodel,serial\nINF-200,SN-1\n\n")
    assert problems == []
    assert [d.serial for d in devices] == ["SN-1"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("-SN,INF-200,,,,,", "serial"),
        ("SN/1,INF-200,,,,,", "serial"),
        ("SN-2,,,,,,", "model"),
        ("SN-2,INF-200,01.03.2025,,,,", "installed_on"),
        ("SN-2,INF-200,,,S1,,", "customer_ref"),
        ("SN-2,INF-200,,C1,S1,Mars/Olympus,", "site_time_zone"),
        ("SN-2,INF-200,,,,,maybe", "is_simulated"),
        ("SN-2,INF-200", "line"),
        ("SN-1,INF-200,,,,,", "serial"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_stay(line: str, field: str) -> None:
    devices, problems = parse_installed_base(f"{HEADER}\nSN-1,INF-200,,,,,\n{line}\nSN-3,INF-200,,,,,\n")
    assert [d.serial for d in devices] == ["SN-1", "SN-3"]
    assert [(p.line, p.field) for p in problems] == [(3, field)]
    assert problems[0].reason


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "header"),
        ("serial\nSN-1\n", "model"),
        ("serial,model,colour\n", "colour"),
        ("serial,model,lot,lot\n", "lot"),
    ],
)
def test_a_bad_header_is_named(text: str, field: str) -> None:
    devices, problems = parse_installed_base(text)
    assert devices == []
    assert field in {p.field for p in problems}
    assert {p.line for p in problems} == {1}
