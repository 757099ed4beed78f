"""Master data as other systems bring it: the fields of each kind of record, and what a person or a program may say of
them. Pure.

Records are named by `system` and id: the name that another system gave them, or, of the system `forewarn`, our own code
(of a device: its serial). What is not said of a record that is known stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from domain.installed_base import CUSTOMER_TYPES, SERIAL_PATTERN, TAKEN_CUSTOMER_CODES

OWN_SYSTEM = "forewarn"
SYSTEM_PATTERN = re.compile(r"[a-z][a-z0-9._-]{0,31}")
CODE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
MOST_ID = 128
MOST_CONTACTS = 20
MOST_DEVICES = 10_000
ALL_DEVICES = "*"


class MasterKind(StrEnum):
    """A kind of record, as the audit names it."""

    CUSTOMER = "customer"
    SITE = "site"
    CONTRACT = "contract"
    DEVICE_MODEL = "device_model"
    DEVICE = "device"


class UpsertAction(StrEnum):
    """What became of a record, or of a line of a file. Values never change."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class MasterGuard(StrEnum):
    """The rule that refused a change; a 409 and the report of an import name it. Values never change."""

    CODE_FIXED = "code_fixed"
    REFERENCE_TAKEN = "reference_taken"
    MODEL_FIXED = "model_fixed"
    SIMULATED_FIXED = "simulated_fixed"
    BY_TRANSITION = "by_transition"
    KEY_FIELD = "key_field"
    DECOMMISSIONED = "decommissioned"
    SITE_HAS_DEVICES = "site_has_devices"
    CALENDAR_FIXED = "calendar_fixed"


class FieldKind(StrEnum):
    """What a field holds."""

    CODE = "code"  # of a record of ours
    ID = "id"  # what the system of the request calls another record
    TEXT = "text"
    CHOICE = "choice"
    DATE = "date"
    COUNT = "count"
    FLAG = "flag"
    CONTACTS = "contacts"
    SERIALS = "serials"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `columns`: those of a CSV file that say it, where they are not called like it."""

    kind: FieldKind
    choices: tuple[str, ...] = ()
    most: int = 200  # characters, or the highest count
    columns: tuple[str, ...] = ()


_CODE, _TEXT, _DATE, _FLAG = Field(FieldKind.CODE), Field(FieldKind.TEXT), Field(FieldKind.DATE), Field(FieldKind.FLAG)
_ID, _SHORT = Field(FieldKind.ID, most=MOST_ID), Field(FieldKind.TEXT, most=64)
CONTACT_FIELDS = ("name", "role", "phone", "email")
CUSTOMER_FIELDS: dict[str, Field] = {
    "code": _CODE,
    "name": _TEXT,
    "type": Field(FieldKind.CHOICE, CUSTOMER_TYPES),
    "channel": Field(FieldKind.CHOICE, ("DIRECT", "DISTRIBUTOR")),
    "status": Field(FieldKind.CHOICE, ("PROSPECT", "ACTIVE", "INACTIVE")),
    "region": _SHORT,
    "contacts": Field(FieldKind.CONTACTS, columns=tuple(f"contact_{name}" for name in CONTACT_FIELDS)),
    "is_simulated": _FLAG,
}
SITE_FIELDS: dict[str, Field] = {
    "code": _CODE,
    "customer": _CODE,
    "customer_ref": _ID,
    "name": _TEXT,
    "department": _TEXT,
    "address": Field(FieldKind.TEXT, most=500),
    "time_zone": _SHORT,
    "region": _SHORT,
    "service_calendar": _CODE,
}
CONTRACT_FIELDS: dict[str, Field] = {
    "code": _CODE,
    "customer": _CODE,
    "customer_ref": _ID,
    "coverage": Field(FieldKind.TEXT, most=500),
    "starts_on": _DATE,
    "ends_on": _DATE,
    "remind_days": Field(FieldKind.COUNT, most=730),
    "sla_policy": _CODE,
    "devices": Field(FieldKind.SERIALS),
    "region": _SHORT,
    "status": Field(FieldKind.CHOICE, ("DRAFT", "ACTIVE", "EXPIRED", "TERMINATED")),
}
DEVICE_FIELDS: dict[str, Field] = {
    "serial": Field(FieldKind.CODE),
    "model": Field(FieldKind.TEXT, most=64),
    "model_ref": _ID,
    "lot": _SHORT,
    "udi": _TEXT,
    "made_on": _DATE,
    "expires_on": _DATE,
    "purchased_on": _DATE,
    "installed_on": _DATE,
    "warranty_end": _DATE,
    "calibration_due": _DATE,
    "site": _CODE,
    "site_ref": _ID,
    "gateway": _SHORT,
    "region": _SHORT,
    "lifecycle": Field(FieldKind.CHOICE, ("REGISTERED", "INSTALLED", "IN_SERVICE")),
    "is_simulated": _FLAG,
}
FIELDS: dict[MasterKind, dict[str, Field]] = {
    MasterKind.CUSTOMER: CUSTOMER_FIELDS,
    MasterKind.SITE: SITE_FIELDS,
    MasterKind.CONTRACT: CONTRACT_FIELDS,
    MasterKind.DEVICE: DEVICE_FIELDS,
}
# The field that is a record's own code.
CODE_FIELD: dict[MasterKind, str] = {kind: "serial" if kind is MasterKind.DEVICE else "code" for kind in MasterKind}


@dataclass(frozen=True, slots=True)
class ExternalName:
    """What one system calls a record; `type`: what it calls that kind of record."""

    system: str
    id: str
    type: str = ""

    @property
    def is_own(self) -> bool:
        """The id is our own code."""
        return self.system == OWN_SYSTEM


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """Why a field was not taken. `guard` names the rule that refuses a change; empty: the value cannot be used."""

    field: str
    reason: str
    guard: str = ""


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a record: its own code, and which of its fields were set or changed."""

    action: UpsertAction
    code: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was left as it was, and why."""

    refusals: tuple[FieldRefusal, ...]


def find_name_problems(name: ExternalName) -> list[FieldRefusal]:
    """What is wrong with the name of a record."""
    found = []
    if not SYSTEM_PATTERN.fullmatch(name.system):
        found.append(FieldRefusal("system", "must be 1 to 32 of a-z 0-9 . _ - and begin with a letter"))
    if not name.id.strip() or len(name.id) > MOST_ID or not name.id.isprintable():
        found.append(FieldRefusal("id", f"must be 1 to {MOST_ID} characters that can be printed"))
    return found


def find_new_code(kind: MasterKind, name: ExternalName, given: Mapping[str, Any]) -> str | FieldRefusal:
    """The code of a record that is not known by its name yet: the one that is given, or the name itself."""
    field = CODE_FIELD[kind]
    code = given.get(field) or name.id
    if kind is MasterKind.DEVICE_MODEL:
        return str(code)  # the profile's, whatever it is
    if kind is MasterKind.CUSTOMER and code in TAKEN_CUSTOMER_CODES:
        return FieldRefusal(field, f"{code!r} is a word of the API's own: give another one")
    pattern = SERIAL_PATTERN if kind is MasterKind.DEVICE else CODE_PATTERN
    if pattern.fullmatch(code):
        return str(code)
    why = "" if given.get(field) else f" ({code!r} cannot be one: give it)"
    return FieldRefusal(field, f"must be 1 to 64 of A-Z a-z 0-9 . _ : - and begin with a letter or digit{why}")


def find_date_problems(values: Mapping[str, Any]) -> list[FieldRefusal]:
    """Dates of a device that cannot all be."""
    made = values.get("made_on")
    later = ("expires_on", "purchased_on", "installed_on", "warranty_end")
    return [
        FieldRefusal(field, f"{values[field]} is before made_on, {made}")
        for field in later
        if isinstance(made, date) and isinstance(values.get(field), date) and values[field] < made
    ]


def find_changes(known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given otherwise than it is known."""
    return {field: value for field, value in given.items() if known.get(field) != value}


def merge_contact(known: list[dict[str, Any]], contact: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The contacts with that one in the place of who has the same name, or after them all. What is said of one stays
    where the new one says nothing."""
    name = contact["name"]
    said = {field: value for field, value in contact.items() if value}
    if not any(one.get("name") == name for one in known):
        return [*known, dict(said)]
    return [{**one, **said} if one.get("name") == name else one for one in known]
