"""Sites as other systems bring them: made where they are new, mended where they differ."""

from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row, dict_row

from domain.master_data import (
    ExternalName,
    FieldRefusal,
    MasterGuard,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
    find_changes,
)
from domain.working_time import is_zone
from store.master_references import (
    Intake,
    is_new_name,
    load_by_name,
    locate,
    note_changed,
    note_created,
    record_reference,
)
from store.pool import Connection

_KIND = MasterKind.SITE
DEFAULTS: dict[str, Any] = {"department": "", "address": "", "time_zone": "UTC", "service_calendar": None}


@dataclass(frozen=True, slots=True)
class Owner:
    """A customer that a record is to belong to."""

    id: int
    code: str
    region: str
    status: str
    is_simulated: bool


LOAD_OWNER = "SELECT id, code, region, status, is_simulated FROM customer WHERE code = %s"


def load_owner(conn: Connection, system: str, given: dict[str, Any], *, is_needed: bool) -> Owner | FieldRefusal | None:
    """The customer that is said, by its code (`customer`) or by its name in that system (`customer_ref`); None: none
    is said and none is needed."""
    code = given.get("customer")
    if code is None and given.get("customer_ref"):
        found = load_by_name(conn, MasterKind.CUSTOMER, ExternalName(system, given["customer_ref"]))
        if found is None:
            return FieldRefusal("customer_ref", f"{given['customer_ref']!r} is no customer's name in {system}")
        code = found.code
    if not code:
        return FieldRefusal("customer", "must be named, by customer or customer_ref") if is_needed else None
    with conn.cursor(row_factory=class_row(Owner)) as cursor:
        owner = cursor.execute(LOAD_OWNER, (code,)).fetchone()
    return owner or FieldRefusal("customer", f"{code!r} is not known")


LOAD_VALUES = """
    SELECT s.name, c.code AS customer, s.department, s.address, s.time_zone, s.region, k.code AS service_calendar,
        s.is_simulated, EXISTS (SELECT FROM device d WHERE d.site_id = s.id) AS has_devices
    FROM site s JOIN customer c ON c.id = s.customer_id LEFT JOIN service_calendar k ON k.id = s.service_calendar_id
    WHERE s.id = %s
"""
HAS_CALENDAR = "SELECT EXISTS (SELECT FROM service_calendar WHERE code = %s)"
INSERT_SITE = """
    INSERT INTO site (code, customer_id, name, department, address, time_zone, region, service_calendar_id,
        is_simulated, updated_at)
    SELECT %(code)s, c.id, %(name)s, %(department)s, %(address)s, %(time_zone)s, %(region)s,
        (SELECT k.id FROM service_calendar k WHERE k.code = %(service_calendar)s), c.is_simulated, %(now)s
    FROM customer c WHERE c.code = %(customer)s
    RETURNING id
"""
UPDATE_SITE = """
    UPDATE site SET customer_id = (SELECT id FROM customer WHERE code = %(customer)s), name = %(name)s,
        department = %(department)s, address = %(address)s, time_zone = %(time_zone)s, region = %(region)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def upsert_site(
    intake: Intake, name: ExternalName, given: dict[str, Any], *, expected_row_version: int | None = None
) -> Upserted | Refused:
    """The site is as it is said, or it was left as it was.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        As of `store.master_references.locate`.
    """
    conn = intake.conn
    found = locate(conn, _KIND, name, given, expected_row_version)
    if isinstance(found, Refused):
        return found
    owner = load_owner(conn, name.system, given, is_needed=isinstance(found, str))
    if isinstance(owner, FieldRefusal):
        return Refused((owner,))
    said = {field: value for field, value in given.items() if field not in ("code", "customer", "customer_ref")}
    if owner is not None:
        said["customer"] = owner.code
    problems = _find_problems(conn, said)
    if problems:
        return Refused(tuple(problems))
    if isinstance(found, str):
        assert owner is not None
        values = DEFAULTS | {"name": found, "region": owner.region} | said
        row = conn.execute(INSERT_SITE, values | {"code": found, "now": intake.now}).fetchone()
        assert row is not None
        if not name.is_own:
            record_reference(conn, _KIND, row[0], name, intake.now)
        return note_created(intake, _KIND, found, values, name)
    with conn.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute(LOAD_VALUES, (found.id,)).fetchone()
    assert known is not None
    changes = find_changes(known, said)
    refusals = _find_refusals(known, changes, owner)
    if refusals:
        return Refused(tuple(refusals))
    is_named = is_new_name(name, found)
    if not changes and not is_named:
        return Upserted(UpsertAction.UNCHANGED, found.code)
    conn.execute(UPDATE_SITE, known | changes | {"id": found.id, "now": intake.now})
    if is_named:
        record_reference(conn, _KIND, found.id, name, intake.now)
    return note_changed(intake, _KIND, found.code, known, changes, name if is_named else None)


def _find_problems(conn: Connection, said: dict[str, Any]) -> list[FieldRefusal]:
    found = []
    if said.get("name") == "":
        found.append(FieldRefusal("name", "must not be empty"))
    if "time_zone" in said and not is_zone(said["time_zone"]):
        found.append(FieldRefusal("time_zone", f"{said['time_zone']!r} is no IANA time zone"))
    calendar = said.get("service_calendar")
    if calendar is not None:
        row = conn.execute(HAS_CALENDAR, (calendar,)).fetchone()
        if row is None or not row[0]:
            found.append(FieldRefusal("service_calendar", f"there is no calendar {calendar!r}"))
    return found


def _find_refusals(known: dict[str, Any], changes: dict[str, Any], owner: Owner | None) -> list[FieldRefusal]:
    found = []
    if "customer" in changes and known["has_devices"]:
        reason = "devices stand there: whose they are is a key field, and takes two people for each"
        found.append(FieldRefusal("customer", reason, MasterGuard.SITE_HAS_DEVICES))
    if "customer" in changes and owner is not None and owner.is_simulated != known["is_simulated"]:
        found.append(FieldRefusal("customer", "one is simulated, the other is not", MasterGuard.SIMULATED_FIXED))
    if "service_calendar" in changes:
        reason = "PUT /sites/{code}/service-calendar changes it"
        found.append(FieldRefusal("service_calendar", reason, MasterGuard.CALENDAR_FIXED))
    return found
