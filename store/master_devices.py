"""Devices as other systems bring them: registered where they are new, mended where they differ.

A change of serial, UDI or owner is none of these: it takes two people (`store.key_fields`) and is refused by name.
"""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row

from domain.device_lifecycle import Lifecycle, find_first_lifecycle, find_place_problem
from domain.key_fields import find_key_changes
from domain.master_data import (
    ExternalName,
    FieldRefusal,
    MasterGuard,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
    find_changes,
    find_date_problems,
)
from domain.udi import find_udi_conflicts, normalise_udi, parse_udi
from store.device_registration import INSERT_GATEWAY, INSERT_SERIES
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
from store.rejection_replays import request_replays_of_serials

_KIND = MasterKind.DEVICE
DEFAULTS: dict[str, Any] = {
    "lot": "",
    "udi": "",
    "made_on": None,
    "expires_on": None,
    "purchased_on": None,
    "installed_on": None,
    "warranty_end": None,
    "calibration_due": None,
    "gateway": None,
    "site": None,
}
_RESOLVED = ("serial", "model", "model_ref", "site", "site_ref", "udi")
LOAD_VALUES = """
    SELECT d.serial, m.key AS model, m.udi_di AS model_udi_di, d.lot, d.udi, d.made_on, d.expires_on, d.purchased_on,
        d.installed_on, d.warranty_end, d.calibration_due, s.code AS site, c.code AS customer, g.name AS gateway,
        d.region, d.lifecycle, d.is_simulated
    FROM device d JOIN device_model m ON m.id = d.device_model_id LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id LEFT JOIN gateway g ON g.id = d.gateway_id
    WHERE d.id = %s
"""
INSERT_DEVICE = """
    INSERT INTO device (device_model_id, serial, lot, udi, site_id, gateway_id, made_on, expires_on, purchased_on,
        installed_on, warranty_end, calibration_due, region, lifecycle, lifecycle_since, is_simulated, shard,
        created_at, updated_at)
    SELECT m.id, %(serial)s, %(lot)s, %(udi)s, (SELECT id FROM site WHERE code = %(site)s),
        (SELECT id FROM gateway WHERE name = %(gateway)s), %(made_on)s, %(expires_on)s, %(purchased_on)s,
        %(installed_on)s, %(warranty_end)s, %(calibration_due)s, %(region)s, %(lifecycle)s, %(now)s, %(is_simulated)s,
        (hashtext(%(serial)s) & 2147483647) %% i.shard_count, %(now)s, %(now)s
    FROM device_model m CROSS JOIN installation i WHERE m.key = %(model)s
    RETURNING id
"""
# The next calibration is moved by plans as well: it stays where nothing is said of it.
UPDATE_DEVICE = """
    UPDATE device SET lot = %(lot)s, made_on = %(made_on)s, expires_on = %(expires_on)s,
        purchased_on = %(purchased_on)s, warranty_end = %(warranty_end)s,
        calibration_due = CASE WHEN %(moves_calibration)s THEN %(calibration_due)s ELSE calibration_due END,
        region = %(region)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""
# What ingest and anomaly must hear of, and what stands in the dated history: written where it differs alone.
UPDATE_PLACE = """
    UPDATE device SET udi = %(udi)s, site_id = (SELECT id FROM site WHERE code = %(site)s),
        gateway_id = (SELECT id FROM gateway WHERE name = %(gateway)s), installed_on = %(installed_on)s
    WHERE id = %(id)s
"""
_PLACE = frozenset({"udi", "site", "gateway", "installed_on"})


@dataclass(frozen=True, slots=True)
class Place:
    """A site that a device is to stand at."""

    code: str
    customer: str
    region: str
    time_zone: str
    is_simulated: bool


LOAD_PLACE = """
    SELECT s.code, c.code AS customer, s.region, s.time_zone, s.is_simulated
    FROM site s JOIN customer c ON c.id = s.customer_id WHERE s.code = %s
"""
LOAD_MODEL = "SELECT key, udi_di FROM device_model WHERE key = %s"


def upsert_device(
    intake: Intake, name: ExternalName, given: dict[str, Any], *, expected_row_version: int | None = None
) -> Upserted | Refused:
    """The device is as it is said, or it was left as it was; its carrier tells what is not known of lot and dates.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        As of `store.master_references.locate`.
    """
    conn = intake.conn
    found = locate(conn, _KIND, name, given, expected_row_version)
    if isinstance(found, Refused):
        return found
    resolved = _resolve(conn, name.system, given)
    if isinstance(resolved, FieldRefusal):
        return Refused((resolved,))
    said, place = resolved
    if isinstance(found, str):
        return _register(intake, name, found, said, place)
    with conn.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute(LOAD_VALUES, (found.id,)).fetchone()
    assert known is not None
    if given.get("serial"):
        said["serial"] = given["serial"]
    changes = find_changes(known | {"udi": normalise_udi(known["udi"])}, said)
    refusals = _find_refusals(known, changes, place, name)
    if refusals:
        return Refused(tuple(refusals))
    values = known | changes
    problems = _complete_by_udi(values, known["serial"], known["model_udi_di"]) if "udi" in changes else []
    problems += find_date_problems(values)
    if problems:
        return Refused(tuple(problems))
    changes = find_changes(known, {field: values[field] for field in DEFAULTS | {"region": ""} if field in values})
    if normalise_udi(known["udi"]) == values["udi"]:
        changes.pop("udi", None)
    is_named = is_new_name(name, found)
    if not changes and not is_named:
        return Upserted(UpsertAction.UNCHANGED, found.code)
    moved = {"moves_calibration": "calibration_due" in changes}
    conn.execute(UPDATE_DEVICE, values | moved | {"id": found.id, "now": intake.now})
    if not _PLACE.isdisjoint(changes):
        _record_gateway(conn, values)
        conn.execute(
            UPDATE_PLACE, values | {"id": found.id, "udi": values["udi"] if "udi" in changes else known["udi"]}
        )
    if is_named:
        record_reference(conn, _KIND, found.id, name, intake.now)
    return note_changed(intake, _KIND, found.code, known, changes, name if is_named else None)


def _resolve(
    conn: Connection, system: str, given: dict[str, Any]
) -> tuple[dict[str, Any], Place | None] | FieldRefusal:
    """What is said, with model and site by their codes, and the place where it is to stand; or what is not known."""
    said = {field: value for field, value in given.items() if field not in _RESOLVED}
    for field, kind in (("model", MasterKind.DEVICE_MODEL), ("site", MasterKind.SITE)):
        code = given.get(field)
        if code is None and given.get(f"{field}_ref"):
            located = load_by_name(conn, kind, ExternalName(system, given[f"{field}_ref"]))
            if located is None:
                return FieldRefusal(f"{field}_ref", f"{given[f'{field}_ref']!r} is not known in {system}")
            code = located.code
        if code is not None or field in given:
            said[field] = code or None
    if "gateway" in said:
        said["gateway"] = said["gateway"] or None
    if given.get("udi") is not None:
        parsed = parse_udi(given["udi"]) if given["udi"] else ""
        if isinstance(parsed, str) and parsed:
            return FieldRefusal("udi", parsed)
        said["udi"] = parsed if isinstance(parsed, str) else parsed.text
    if said.get("model") is not None and conn.execute(LOAD_MODEL, (said["model"],)).fetchone() is None:
        return FieldRefusal("model", f"{said['model']!r} is not known; apply its profile")
    if said.get("site") is None:
        return said, None
    with conn.cursor(row_factory=class_row(Place)) as cursor:
        place = cursor.execute(LOAD_PLACE, (said["site"],)).fetchone()
    return (said, place) if place is not None else FieldRefusal("site", f"{said['site']!r} is not known")


def _find_refusals(
    known: dict[str, Any], changes: dict[str, Any], place: Place | None, name: ExternalName
) -> list[FieldRefusal]:
    guard = MasterGuard
    if changes and known["lifecycle"] == Lifecycle.DECOMMISSIONED:
        return [FieldRefusal(field, "the device is DECOMMISSIONED", guard.DECOMMISSIONED) for field in changes]
    found = []
    if "model" in changes:
        found.append(FieldRefusal("model", f"is {known['model']} and stays so", guard.MODEL_FIXED))
    if "is_simulated" in changes:
        found.append(FieldRefusal("is_simulated", "stays as it is", guard.SIMULATED_FIXED))
    if "lifecycle" in changes:
        reason = f"is {known['lifecycle']}; it moves by POST /devices/{{serial}}/transitions"
        found.append(FieldRefusal("lifecycle", reason, guard.BY_TRANSITION))
    wanted = dict(changes)
    if "site" in changes and (None if place is None else place.customer) != known["customer"]:
        wanted["customer"] = None if place is None else place.customer
    for field in find_key_changes(known, wanted):
        reason = "is a key field: two people change it, by an approval request of kind key_field_change"
        found.append(FieldRefusal(field, reason, guard.KEY_FIELD))
    if place is not None and place.is_simulated != known["is_simulated"]:
        found.append(FieldRefusal("site", "one of device and site is simulated", guard.SIMULATED_FIXED))
    return found


def _complete_by_udi(values: dict[str, Any], serial: str, model_udi_di: str) -> list[FieldRefusal]:
    """What the carrier says otherwise than `values`; where these say nothing, they say what the carrier does then."""
    parsed = parse_udi(values["udi"]) if values["udi"] else ""
    if isinstance(parsed, str):
        return []
    known = {field: values[field] for field in ("lot", "made_on", "expires_on")}
    conflicts = find_udi_conflicts(parsed, model_udi_di=model_udi_di, serial=serial, **known)
    for field in known:
        values[field] = values[field] or getattr(parsed, field) or DEFAULTS[field]
    return [FieldRefusal(field, reason) for field, reason in conflicts.items()]


def _register(
    intake: Intake, name: ExternalName, serial: str, said: dict[str, Any], place: Place | None
) -> Upserted | Refused:
    conn = intake.conn
    if said.get("model") is None:
        return Refused((FieldRefusal("model", "must be given for a new device"),))
    model = conn.execute(LOAD_MODEL, (said["model"],)).fetchone()
    assert model is not None
    region = "" if place is None else place.region
    is_simulated = False if place is None else place.is_simulated
    values = DEFAULTS | {"region": region, "is_simulated": is_simulated} | said
    problems = _complete_by_udi(values, serial, model[1]) + find_date_problems(values)
    if place is not None and values["is_simulated"] != place.is_simulated:
        problems.append(FieldRefusal("is_simulated", "is that of its site", MasterGuard.SIMULATED_FIXED))
    today = intake.now.astimezone(ZoneInfo("UTC" if place is None else place.time_zone)).date()
    installed_on = values["installed_on"]
    values.setdefault("lifecycle", find_first_lifecycle(has_site=place is not None, installed_on=installed_on))
    lifecycle = Lifecycle(values["lifecycle"])
    problem = find_place_problem(lifecycle, has_site=place is not None, installed_on=installed_on, today=today)
    if problem:
        problems.append(FieldRefusal("lifecycle", problem))
    if problems:
        return Refused(tuple(problems))
    _record_gateway(conn, values)
    row = conn.execute(INSERT_DEVICE, values | {"serial": serial, "now": intake.now}).fetchone()
    assert row is not None
    conn.execute(INSERT_SERIES, {"device_id": row[0], "model": values["model"]})
    if not name.is_own:
        record_reference(conn, _KIND, row[0], name, intake.now)
    replays = request_replays_of_serials(conn, intake.actor.name, [serial])
    after = values | ({"replays_requested": replays} if replays else {})  # what it had sent before anybody knew it
    return note_created(intake, _KIND, serial, after, name)


def _record_gateway(conn: Connection, values: dict[str, Any]) -> None:
    if values["gateway"] is not None:
        row = {"gateway": values["gateway"], "site_ref": values["site"], "is_simulated": values["is_simulated"]}
        conn.execute(INSERT_GATEWAY, row)
