"""Which role sees which field that names people: the whole matrix, written down a second time."""

from dataclasses import dataclass

import pytest

from domain.masking import (
    MASK,
    PERSONAL_FIELDS,
    find_masked_fields,
    is_shown,
    mask_history,
    mask_json,
    mask_record,
    mask_row,
)
from domain.roles import ROLE_PERMISSIONS, Permission, Role

ALL_STAFF = set(Role) - {Role.CUSTOMER, Role.ADMIN}
MEET_CUSTOMERS = {Role.TECHNICIAN, Role.DISPATCHER, Role.SERVICE_MANAGER, Role.DATA_STEWARD}
# Written down here by hand, so that a change of the table or of a role's rights is seen by somebody.
MATRIX = {
    "customer.contacts": MEET_CUSTOMERS,
    "complaint.reporter": MEET_CUSTOMERS,
    "complaint.reporter_name": MEET_CUSTOMERS,
    "complaint.reporter_contact": MEET_CUSTOMERS,
    "complaint.reporter_address": MEET_CUSTOMERS,
    "complaint.reporter_phone": MEET_CUSTOMERS,
    "complaint.created_by": ALL_STAFF,
    "complaint.investigation_decided_by": ALL_STAFF,
    "communication.contact": MEET_CUSTOMERS,
    "work_order.assignee": ALL_STAFF,
    "work_order.assignee_name": ALL_STAFF,
    "work_order.created_by": ALL_STAFF,
    "work_order.serviced_by": ALL_STAFF,
    "work_order.done_by": ALL_STAFF,
    "work_order.done_by_id": ALL_STAFF,
    "work_order.timeline": ALL_STAFF,
    "work_order.decisions": ALL_STAFF,
    "work_order.signatures": ALL_STAFF,
    "visit.technician": ALL_STAFF,
    "visit.technician_name": ALL_STAFF,
    "visit.note": ALL_STAFF,
    "part_usage.requested_by": ALL_STAFF,
    "part_usage.decided_by": ALL_STAFF,
    "part_usage.signatures": ALL_STAFF,
    "attachment.captured_by": ALL_STAFF,
    "attachment.uploaded_by": ALL_STAFF,
    "attachment.note": ALL_STAFF,
    "breach.acknowledged_by": ALL_STAFF,
    "shelving.shelved_by": ALL_STAFF,
    "device_history.source": ALL_STAFF,
    "service_calendar.made_by": ALL_STAFF,
    "sla_policy.made_by": ALL_STAFF,
    "profile_version.applied_by": ALL_STAFF,
    "audit.actor": ALL_STAFF,
}


def test_the_matrix_names_every_field() -> None:
    assert MATRIX.keys() == PERSONAL_FIELDS.keys()


@pytest.mark.parametrize("role", Role)
def test_every_field_for_every_role(role: Role) -> None:
    for key, roles in MATRIX.items():
        record, _, field = key.partition(".")
        assert is_shown(record, field, ROLE_PERMISSIONS[role]) == (role in roles), key
        assert (field in find_masked_fields(record, ROLE_PERMISSIONS[role])) == (role not in roles), key


def test_a_field_that_names_nobody_is_everybodys() -> None:
    assert is_shown("work_order", "state", ())
    assert mask_record("work_order", {"state": "NEW", "assignee": "tom", "created_by": None}, ()) == {
        "state": "NEW",
        "assignee": None,
        "created_by": None,
    }


def test_people_are_masked_inside_free_json_at_whatever_depth() -> None:
    value = {
        "contacts": [{"name": "Zelda"}],
        "name": "St. Anna",
        "close_out": {"done_by": "tom", "test_data": "0.9 A", "serviced_by": ""},
        "list": [{"reporter": "Zelda"}, 1, None],
    }
    assert mask_json(value, ()) == {
        "contacts": MASK,
        "name": "St. Anna",
        "close_out": {"done_by": MASK, "test_data": "0.9 A", "serviced_by": ""},
        "list": [{"reporter": MASK}, 1, None],
    }
    staff = mask_json(value, {Permission.STAFF_READ})
    assert staff["contacts"] == MASK
    assert staff["close_out"]["done_by"] == "tom"
    assert mask_json(value, {Permission.STAFF_READ, Permission.CUSTOMER_READ_CONTACTS}) is value
    assert mask_json(None, ()) is None


def test_the_history_of_a_device_keeps_its_changes_and_loses_names_and_former_owners() -> None:
    assert mask_history("gateway", "gw-1", "user:tom", ()) == ("gw-1", "user")
    assert mask_history("site", "Another hospital", "import", ()) == (None, "import")
    staff = {Permission.STAFF_READ}
    assert mask_history("site", "Another hospital", "user:tom", staff) == ("Another hospital", "user:tom")


@dataclass(frozen=True)
class Row:
    code: str
    assignee: str | None
    close_out: dict[str, str | None] | None


def test_a_row_is_masked_with_the_objects_in_it() -> None:
    row = Row("WO-1", "tom", {"done_by": "tom", "test_data": "0.9 A"})
    assert mask_row("work_order", row, {Permission.STAFF_READ}) is row
    assert mask_row("work_order", row, ()) == Row("WO-1", None, {"done_by": None, "test_data": "0.9 A"})
