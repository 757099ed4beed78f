"""What is a change of a key field, and what two people may ask for."""

from dataclasses import replace
from typing import Any

import pytest

from domain.key_fields import (
    DeviceKeys,
    KeyFieldFacts,
    KeyFieldGuard,
    find_key_changes,
    find_key_field_refusal,
    find_payload_problems,
)

UDI = "(01)04012345000016(21)SN-1"
DEVICE = DeviceKeys(
    "SN-1", UDI, "S-1", "C-1", "IN_SERVICE", "", "04012345000016", is_simulated=False, has_account=False
)
_G = KeyFieldGuard


@pytest.mark.parametrize(
    ("known", "changes", "found"),
    [
        ({"udi": "", "customer": None}, {"udi": UDI, "customer": "C-1"}, ()),
        ({"udi": UDI, "customer": "C-1"}, {"lot": "L"}, ()),
        ({"udi": UDI, "customer": "C-1"}, {"serial": "SN-2"}, ("serial",)),
        ({"udi": UDI, "customer": "C-1"}, {"udi": ""}, ("udi",)),
        ({"udi": "", "customer": "C-1"}, {"customer": None}, ("site",)),
        ({"udi": UDI, "customer": "C-1"}, {"udi": "x", "customer": "C-2"}, ("udi", "site")),
    ],
)
def test_to_say_what_was_not_known_is_no_change(
    known: dict[str, Any], changes: dict[str, Any], found: tuple[str, ...]
) -> None:
    assert find_key_changes(known, changes) == found


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "payload"),
        ({"lot": "x"}, "payload"),
        ({"serial": "no good"}, "payload.serial"),
        ({"serial": 1}, "payload.serial"),
        ({"serial": "SN-1"}, "payload.serial"),
        ({"udi": "nonsense"}, "payload.udi"),
        ({"udi": None}, "payload.udi"),
        ({"site": ""}, "payload.site"),
        ({"site": ["S-1"]}, "payload.site"),
    ],
)
def test_what_cannot_be_asked(payload: dict[str, Any], field: str) -> None:
    assert list(find_payload_problems("SN-1", payload)) == [field]


def test_what_can_be_asked() -> None:
    for payload in ({"serial": "SN-2"}, {"udi": UDI}, {"site": None}, {"serial": "SN-2", "site": "S-2"}):
        assert find_payload_problems("SN-1", payload) == {}


@pytest.mark.parametrize(
    ("device", "payload", "facts", "guard"),
    [
        ({}, {"serial": "SN-2", "udi": "(01)04012345000016(21)SN-2"}, {}, None),
        ({"udi": ""}, {"serial": "SN-2"}, {}, None),
        ({}, {"site": "S-2"}, {"new_customer": "C-2", "new_is_simulated": False}, None),
        ({}, {"site": None}, {}, None),
        ({"lifecycle": "DECOMMISSIONED"}, {"site": None}, {}, _G.DECOMMISSIONED),
        ({}, {"udi": " 010401234500001621SN-1"}, {}, _G.NOTHING_CHANGES),
        ({"udi": ""}, {"serial": "SN-2"}, {"is_serial_taken": True}, _G.SERIAL_TAKEN),
        ({"udi": "", "has_account": True}, {"serial": "SN-2"}, {}, _G.ACCOUNT_ACTIVE),
        ({"has_account": True}, {"site": None}, {}, None),
        ({}, {"serial": "SN-2"}, {}, _G.UDI_CONTRADICTS),
        ({}, {"udi": "(01)04012345000023(21)SN-1"}, {}, _G.UDI_CONTRADICTS),
        ({}, {"site": "S-9"}, {"is_site_known": False}, _G.SITE_UNKNOWN),
        ({}, {"site": "S-2"}, {"new_customer": "C-1", "new_is_simulated": False}, _G.OWNER_SAME),
        ({}, {"site": "S-2"}, {"new_customer": "C-2", "new_is_simulated": True}, _G.SIMULATED_DIFFERS),
        ({}, {"site": None}, {"open_orders": ("WO-1",)}, _G.WORK_ORDER_OPEN),
        ({"udi": ""}, {"serial": "SN-2"}, {"open_orders": ("WO-1",)}, None),
    ],
)
def test_the_first_guard_that_refuses(
    device: dict[str, Any], payload: dict[str, Any], facts: dict[str, Any], guard: KeyFieldGuard | None
) -> None:
    refusal = find_key_field_refusal(replace(DEVICE, **device), payload, KeyFieldFacts(**facts))
    assert (None if refusal is None else refusal[0]) == guard
