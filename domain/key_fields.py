"""Key fields of a device, serial, UDI and owner: what is a change of one, and what two people may ask for. Pure.

To say what was not known before is no change: a UDI where there was none, the owner of a device that had none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.device_lifecycle import Lifecycle
from domain.installed_base import SERIAL_PATTERN
from domain.udi import find_udi_conflicts, normalise_udi, parse_udi

# What a request may name: the owner is that of the site.
PAYLOAD_FIELDS = ("serial", "udi", "site")


class KeyFieldGuard(StrEnum):
    """The rule that refused a change of key fields; a 409 names it. Values never change."""

    NOTHING_CHANGES = "nothing_changes"
    DECOMMISSIONED = "decommissioned"
    SERIAL_TAKEN = "serial_taken"
    ACCOUNT_ACTIVE = "account_active"
    UDI_CONTRADICTS = "udi_contradicts"
    SITE_UNKNOWN = "site_unknown"
    OWNER_SAME = "owner_same"
    SIMULATED_DIFFERS = "simulated_differs"
    WORK_ORDER_OPEN = "work_order_open"


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """A device as far as its key fields and what they must fit are concerned."""

    serial: str
    udi: str
    site: str | None
    customer: str | None
    lifecycle: str
    lot: str
    model_udi_di: str
    is_simulated: bool
    has_account: bool  # at the broker, in force


@dataclass(frozen=True, slots=True)
class KeyFieldFacts:
    """What the guards must know beside the device."""

    is_serial_taken: bool = False
    is_site_known: bool = True
    new_customer: str | None = None
    new_is_simulated: bool | None = None
    open_orders: tuple[str, ...] = ()  # codes of those about a fault


def find_key_changes(known: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of the wanted changes of a known device are changes of key fields, by the field that says them.

    `known` has serial, udi and customer (None: no owner); `changes` likewise, customer where the owner would be
    another one, or none.
    """
    found = []
    if "serial" in changes:
        found.append("serial")
    if "udi" in changes and known["udi"]:
        found.append("udi")
    if "customer" in changes and known["customer"] is not None:
        found.append("site")
    return tuple(found)


def find_payload_problems(entity_id: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what is wrong with what is asked for; empty: it can be asked."""
    unknown = [name for name in payload if name not in PAYLOAD_FIELDS]
    if unknown or not payload:
        return {"payload": f"must hold one or more of {', '.join(PAYLOAD_FIELDS)}, and nothing else"}
    found = {}
    serial, udi, site = payload.get("serial"), payload.get("udi"), payload.get("site")
    if "serial" in payload and not (isinstance(serial, str) and SERIAL_PATTERN.fullmatch(serial)):
        found["payload.serial"] = "must be 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit"
    if "udi" in payload:
        parsed = parse_udi(udi) if isinstance(udi, str) else "must be a text"
        if isinstance(parsed, str):
            found["payload.udi"] = parsed
    if "site" in payload and site is not None and not (isinstance(site, str) and site):
        found["payload.site"] = "must be the code of a site, or null for none"
    if serial == entity_id:
        found["payload.serial"] = "is its serial already"
    return found


def find_key_field_refusal(
    device: DeviceKeys, payload: Mapping[str, Any], facts: KeyFieldFacts
) -> tuple[KeyFieldGuard, str] | None:
    """The first guard that refuses the change, and a sentence for people; None: it can be."""
    guard = KeyFieldGuard
    if device.lifecycle == Lifecycle.DECOMMISSIONED:
        return guard.DECOMMISSIONED, "a device that is gone keeps its key fields"
    serial = payload.get("serial", device.serial)
    udi = payload.get("udi", device.udi)
    if serial == device.serial and normalise_udi(udi) == normalise_udi(device.udi) and "site" not in payload:
        return guard.NOTHING_CHANGES, "the device is as it is asked for"
    if "serial" in payload and facts.is_serial_taken:
        return guard.SERIAL_TAKEN, f"{serial} is another device's serial"
    if serial != device.serial and device.has_account:
        return guard.ACCOUNT_ACTIVE, "its account at the broker has the serial as its name: revoke it first"
    conflict = _find_udi_conflict(device, str(serial), str(udi))
    if conflict:
        return guard.UDI_CONTRADICTS, conflict
    if "site" in payload:
        if not facts.is_site_known:
            return guard.SITE_UNKNOWN, f"there is no site {payload['site']!r}"
        if facts.new_customer == device.customer:
            return guard.OWNER_SAME, "the owner would stay: a move within one customer needs no second person"
        if facts.new_is_simulated not in (None, device.is_simulated):
            return guard.SIMULATED_DIFFERS, "one of device and site is simulated, the other is not"
        if facts.open_orders:
            # What is found at the next owner's would go up in it, and what the next owner says.
            named = ", ".join(facts.open_orders)
            return guard.WORK_ORDER_OPEN, f"orders of {device.customer} are open: {named}; close or cancel them first"
    return None


def _find_udi_conflict(device: DeviceKeys, serial: str, udi: str) -> str:
    parsed = parse_udi(udi) if udi else ""
    if isinstance(parsed, str):
        return ""  # what was kept unread before says nothing that could be compared
    found = find_udi_conflicts(parsed, model_udi_di=device.model_udi_di, serial=serial, lot=device.lot)
    return "; ".join(f"{field}: {text}" for field, text in found.items())
