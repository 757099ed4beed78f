"""Customers as other systems bring them: made where they are new, mended where they differ."""

from typing import Any

from psycopg.rows import dict_row

from domain.master_data import (
    MOST_CONTACTS,
    ExternalName,
    FieldRefusal,
    MasterGuard,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
    find_changes,
    merge_contact,
)
from store.audit import to_jsonb
from store.master_references import Intake, is_new_name, locate, note_changed, note_created, record_reference

_KIND = MasterKind.CUSTOMER
DEFAULTS: dict[str, Any] = {
    "type": "HOSPITAL",
    "channel": "DIRECT",
    "status": "ACTIVE",
    "region": "",
    "contacts": [],
    "is_simulated": False,
}
LOAD_VALUES = """
    SELECT name, type, channel, status, region, contacts, is_simulated FROM customer WHERE id = %s
"""
INSERT_CUSTOMER = """
    INSERT INTO customer (code, name, type, channel, status, region, contacts, is_simulated, created_at, updated_at)
    VALUES (%(code)s, %(name)s, %(type)s, %(channel)s, %(status)s, %(region)s, %(contacts)s, %(is_simulated)s, %(now)s,
        %(now)s)
    RETURNING id
"""
UPDATE_CUSTOMER = """
    UPDATE customer SET name = %(name)s, type = %(type)s, channel = %(channel)s, status = %(status)s,
        region = %(region)s, contacts = %(contacts)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def upsert_customer(
    intake: Intake,
    name: ExternalName,
    given: dict[str, Any],
    *,
    expected_row_version: int | None = None,
    merges_contacts: bool = False,
) -> Upserted | Refused:
    """The customer is as it is said, or it was left as it was. `merges_contacts`: those that are given are added.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        As of `store.master_references.locate`.
    """
    conn = intake.conn
    found = locate(conn, _KIND, name, given, expected_row_version)
    if isinstance(found, Refused):
        return found
    said = {field: value for field, value in given.items() if field != "code"}
    if said.get("name") == "":
        return Refused((FieldRefusal("name", "must not be empty"),))
    if isinstance(found, str):
        values = DEFAULTS | {"name": found} | said
        row = conn.execute(INSERT_CUSTOMER, _to_row(values) | {"code": found, "now": intake.now}).fetchone()
        assert row is not None
        if not name.is_own:
            record_reference(conn, _KIND, row[0], name, intake.now)
        return note_created(intake, _KIND, found, values, name)
    with conn.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute(LOAD_VALUES, (found.id,)).fetchone()
    assert known is not None
    if merges_contacts and "contacts" in said:
        merged = known["contacts"]
        for contact in said["contacts"]:
            merged = merge_contact(merged, contact)
        if len(merged) > MOST_CONTACTS:
            return Refused((FieldRefusal("contacts", f"there would be more than {MOST_CONTACTS}"),))
        said["contacts"] = merged
    changes = find_changes(known, said)
    if "is_simulated" in changes:
        return Refused((FieldRefusal("is_simulated", "stays as it is", MasterGuard.SIMULATED_FIXED),))
    is_named = is_new_name(name, found)
    if not changes and not is_named:
        return Upserted(UpsertAction.UNCHANGED, found.code)
    conn.execute(UPDATE_CUSTOMER, _to_row(known | changes) | {"id": found.id, "now": intake.now})
    if is_named:
        record_reference(conn, _KIND, found.id, name, intake.now)
    return note_changed(intake, _KIND, found.code, known, changes, name if is_named else None)


def _to_row(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"contacts": to_jsonb(values["contacts"])}
