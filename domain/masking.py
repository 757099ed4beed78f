"""Which fields name people, and which right shows each: the one table that lists, single records, exports, the event
stream, searches and the audit look at.

A field that the caller may not see is null in a record, `[masked]` in a file or inside free JSON, and neither filtered
nor searched by: what finds a record by a name tells the name. Whose rows are seen at all is another matter: that is a
condition of every query.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from domain.roles import Permission

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")
MASK = "[masked]"
_CONTACTS = Permission.CUSTOMER_READ_CONTACTS
_STAFF = Permission.STAFF_READ

# record.field -> the right that shows it. Who reads a list of this name reads it without these fields.
PERSONAL_FIELDS: dict[str, Permission] = {
    # people of customers
    "customer.contacts": _CONTACTS,
    "complaint.reporter": _CONTACTS,
    "complaint.reporter_name": _CONTACTS,
    "complaint.reporter_contact": _CONTACTS,
    "complaint.reporter_address": _CONTACTS,
    "complaint.reporter_phone": _CONTACTS,
    "complaint.created_by": _STAFF,
    "complaint.investigation_decided_by": _STAFF,
    "communication.contact": _CONTACTS,
    # people of the maker
    "work_order.assignee": _STAFF,
    "work_order.assignee_name": _STAFF,
    "work_order.created_by": _STAFF,
    "work_order.serviced_by": _STAFF,
    "work_order.done_by": _STAFF,
    "work_order.done_by_id": _STAFF,
    "work_order.timeline": _STAFF,
    "work_order.decisions": _STAFF,
    "work_order.signatures": _STAFF,
    "visit.technician": _STAFF,
    "visit.technician_name": _STAFF,
    "visit.note": _STAFF,
    "part_usage.requested_by": _STAFF,
    "part_usage.decided_by": _STAFF,
    "part_usage.signatures": _STAFF,
    "attachment.captured_by": _STAFF,
    "attachment.uploaded_by": _STAFF,
    "attachment.note": _STAFF,
    "breach.acknowledged_by": _STAFF,
    "shelving.shelved_by": _STAFF,
    "device_history.source": _STAFF,
    "service_calendar.made_by": _STAFF,
    "sla_policy.made_by": _STAFF,
    "profile_version.applied_by": _STAFF,
    "audit.actor": _STAFF,
}
# Of a device's history: what names a customer, who may be another one than today's.
_OWNER_FIELDS = frozenset({"customer", "site"})
# The same inside free JSON (before and after of the audit, what is asked of a second person), whatever record it is of.
_JSON_NAMES: dict[str, Permission] = {
    **dict.fromkeys(("contacts", "contact", "reporter", "reporter_name", "reporter_contact"), _CONTACTS),
    **dict.fromkeys(("reporter_address", "reporter_phone"), _CONTACTS),
    **dict.fromkeys(("assignee", "assignee_name", "created_by", "serviced_by", "done_by", "done_by_id"), _STAFF),
    **dict.fromkeys(("asked_by", "decided_by", "approved_by", "acknowledged_by", "shelved_by", "made_by"), _STAFF),
    **dict.fromkeys(("full_name", "printed_name", "signer", "owner_name"), _STAFF),
    **dict.fromkeys(("technician", "owner", "assignee_id", "remediated_by_id", "author_ids"), _STAFF),
}


def find_personal_fields(record: str) -> frozenset[str]:
    """The fields of such a record that name people."""
    prefix = f"{record}."
    return frozenset(key.removeprefix(prefix) for key in PERSONAL_FIELDS if key.startswith(prefix))


def find_right(record: str, field: str) -> Permission | None:
    """The right that shows the field; None: whoever reads the record sees it."""
    return PERSONAL_FIELDS.get(f"{record}.{field}")


def is_shown(record: str, field: str, permissions: Iterable[Permission]) -> bool:
    """Whether somebody with these rights, who may read the record, sees this field of it."""
    right = find_right(record, field)
    return right is None or right in permissions


def find_masked_fields(record: str, permissions: Iterable[Permission]) -> frozenset[str]:
    """The fields of such a record that somebody with these rights does not see."""
    return _find_masked(record, frozenset(permissions))


@lru_cache(maxsize=1_000)
def _find_masked(record: str, held: frozenset[Permission]) -> frozenset[str]:
    return frozenset(field for field in find_personal_fields(record) if not is_shown(record, field, held))


def mask_record(
    record: str, values: Mapping[str, Any], permissions: Iterable[Permission], *, mask: Any = None
) -> dict[str, Any]:
    """The record with what is not shown replaced by `mask`."""
    hidden = find_masked_fields(record, permissions)
    return {name: mask if name in hidden and value is not None else value for name, value in values.items()}


def mask_row(record: str, row: Row, permissions: Iterable[Permission]) -> Row:
    """The same of a frozen dataclass whose fields that name people may be None, and of objects within it."""
    held = frozenset(permissions)
    hidden = find_masked_fields(record, held)
    if not hidden:
        return row
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    masked = {
        name: None if name in hidden else mask_record(record, value, held)
        for name, value in values.items()
        if name in hidden or isinstance(value, dict)
    }
    return replace(row, **masked)


def mask_json(value: Any, permissions: Iterable[Permission]) -> Any:
    """Free JSON with people masked at whatever depth they stand, as far as these rights do not show them."""
    held = frozenset(permissions)
    hidden = frozenset(name for name, right in _JSON_NAMES.items() if right not in held)
    return _mask_names(value, hidden) if hidden else value


def _mask_names(value: Any, hidden: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: MASK if name in hidden and inner not in (None, "", []) else _mask_names(inner, hidden)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_mask_names(inner, hidden) for inner in value]
    return value


def mask_history(
    field: str, before: str | None, source: str, permissions: Iterable[Permission]
) -> tuple[str | None, str]:
    """Of an entry of a device's history: what stood there before and where the change came from, without the name of
    whoever made it, and without whose the device was before it was this customer's."""
    if is_shown("device_history", "source", frozenset(permissions)):
        return before, source
    return (None if field in _OWNER_FIELDS else before), source.partition(":")[0]


def mask_owner(
    field: str, after: str | None, present: Iterable[str | None], permissions: Iterable[Permission]
) -> str | None:
    """Of an entry of a device's history: what stood there after it, without whose the device was meanwhile; `present`
    are the customer and the site of today."""
    if is_shown("device_history", "source", frozenset(permissions)) or field not in _OWNER_FIELDS:
        return after
    return after if after in tuple(present) else None
