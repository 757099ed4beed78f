"""Service contracts as other systems bring them: made where they are new, mended where they may still be."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from domain.contract import FIRST, ContractState, find_activation_refusal, find_change_refusal
from domain.master_data import (
    ALL_DEVICES,
    ExternalName,
    FieldRefusal,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
    find_changes,
)
from store.master_references import Intake, is_new_name, locate, note_changed, note_created, record_reference
from store.master_sites import Owner, load_owner
from store.pool import Connection

_KIND = MasterKind.CONTRACT
DEFAULTS: dict[str, Any] = {
    "coverage": "",
    "remind_days": 60,
    "sla_policy": None,
    "devices": ALL_DEVICES,
    "status": ContractState.DRAFT.value,
}
LOAD_VALUES = """
    SELECT c.code AS customer, k.coverage, k.starts_on, k.ends_on, k.remind_days, p.code AS sla_policy, k.covers_all,
        ARRAY(SELECT d.serial FROM service_contract_device x JOIN device d ON d.id = x.device_id
            WHERE x.contract_id = k.id ORDER BY d.serial) AS devices, k.region, k.status, k.is_simulated
    FROM service_contract k JOIN customer c ON c.id = k.customer_id LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
    WHERE k.id = %s
"""
# By itself and first: what is read and kept after it is what nobody else changes meanwhile, the SLA policy above all.
LOCK_CONTRACT = "SELECT FROM service_contract WHERE id = %s FOR NO KEY UPDATE"
HAS_POLICY = "SELECT EXISTS (SELECT FROM sla_policy WHERE code = %s)"
INSERT_CONTRACT = """
    INSERT INTO service_contract (code, customer_id, coverage, starts_on, ends_on, remind_days, sla_policy_id,
        covers_all, region, status, is_simulated, status_since, updated_at)
    SELECT %(code)s, c.id, %(coverage)s, %(starts_on)s, %(ends_on)s, %(remind_days)s,
        (SELECT p.id FROM sla_policy p WHERE p.code = %(sla_policy)s), %(covers_all)s, %(region)s, %(status)s,
        c.is_simulated, %(now)s, %(now)s
    FROM customer c WHERE c.code = %(customer)s
    RETURNING id
"""
UPDATE_CONTRACT = """
    UPDATE service_contract SET customer_id = c.id, coverage = %(coverage)s, starts_on = %(starts_on)s,
        ends_on = %(ends_on)s, remind_days = %(remind_days)s,
        sla_policy_id = (SELECT p.id FROM sla_policy p WHERE p.code = %(sla_policy)s), covers_all = %(covers_all)s,
        region = %(region)s, is_simulated = c.is_simulated, row_version = k.row_version + 1, updated_at = %(now)s
    FROM service_contract k, customer c
    WHERE service_contract.id = k.id AND k.id = %(id)s AND c.code = %(customer)s
"""
FORGET_DEVICES = """
    DELETE FROM service_contract_device x USING device d
    WHERE d.id = x.device_id AND x.contract_id = %(id)s AND d.serial <> ALL (%(serials)s)
"""
RECORD_DEVICES = """
    INSERT INTO service_contract_device (contract_id, device_id)
    SELECT %(id)s, d.id FROM device d WHERE d.serial = ANY (%(serials)s) ON CONFLICT DO NOTHING
"""


def upsert_contract(
    intake: Intake, name: ExternalName, given: dict[str, Any], *, expected_row_version: int | None = None
) -> Upserted | Refused:
    """The contract is as it is said, or it was left as it was.

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
    if isinstance(said.get("devices"), Sequence) and said["devices"] != ALL_DEVICES:
        said["devices"] = tuple(sorted(set(said["devices"])))
    if isinstance(found, str):
        assert owner is not None
        return _create(intake, name, found, said, owner)
    conn.execute(LOCK_CONTRACT, (found.id,))
    known = load_values(conn, found.id)
    changes = find_changes(known, said)
    state = ContractState(known["status"])
    over = [(field, find_change_refusal(state, field)) for field in changes]
    refusals = [FieldRefusal(field, refusal.detail, refusal.guard) for field, refusal in over if refusal is not None]
    if refusals:
        return Refused(tuple(refusals))
    values = known | changes
    if owner is None or owner.code != values["customer"]:
        owner = _load_known_owner(conn, values["customer"])
    problems = _find_problems(conn, values if changes else {}, owner)
    if problems:
        return Refused(tuple(problems))
    is_named = is_new_name(name, found)
    if not changes and not is_named:
        return Upserted(UpsertAction.UNCHANGED, found.code)
    row = values | {"id": found.id, "now": intake.now, "covers_all": values["devices"] == ALL_DEVICES}
    conn.execute(UPDATE_CONTRACT, row)
    if "devices" in changes:
        _record_devices(conn, found.id, values["devices"])
    if is_named:
        record_reference(conn, _KIND, found.id, name, intake.now)
    return note_changed(intake, _KIND, found.code, known, changes, name if is_named else None)


def load_values(conn: Connection, contract_id: int) -> dict[str, Any]:
    """What is known of the contract, by field; `devices`: serials in order, or `*`."""
    with conn.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute(LOAD_VALUES, (contract_id,)).fetchone()
    assert known is not None
    return known | {"devices": ALL_DEVICES if known["covers_all"] else tuple(known["devices"])}


def _create(intake: Intake, name: ExternalName, code: str, said: dict[str, Any], owner: Owner) -> Upserted | Refused:
    conn = intake.conn
    values = DEFAULTS | {"region": owner.region} | said
    missing = [field for field in ("starts_on", "ends_on") if values.get(field) is None]
    if missing:
        return Refused(tuple(FieldRefusal(field, "must be given for a new contract") for field in missing))
    problems = _find_problems(conn, values, owner)
    status = values["status"]
    if status not in FIRST:
        problems.append(FieldRefusal("status", f"a contract comes in as one of {', '.join(FIRST)}"))
    elif status == ContractState.ACTIVE:
        refusal = find_activation_refusal(values["ends_on"], owner.status, intake.now.date())
        if refusal is not None:
            problems.append(FieldRefusal("status", refusal.detail, refusal.guard))
    if problems:
        return Refused(tuple(problems))
    row = values | {"code": code, "now": intake.now, "covers_all": values["devices"] == ALL_DEVICES}
    made = conn.execute(INSERT_CONTRACT, row).fetchone()
    assert made is not None
    if values["devices"] != ALL_DEVICES:
        _record_devices(conn, made[0], values["devices"])
    if not name.is_own:
        record_reference(conn, _KIND, made[0], name, intake.now)
    return note_created(intake, _KIND, code, values, name)


def _load_known_owner(conn: Connection, code: str) -> Owner:
    owner = load_owner(conn, "", {"customer": code}, is_needed=True)
    assert isinstance(owner, Owner)
    return owner


LOAD_OWNERS = """
    SELECT d.serial, s.customer_id FROM device d LEFT JOIN site s ON s.id = d.site_id WHERE d.serial = ANY (%s)
"""


def _find_problems(conn: Connection, values: dict[str, Any], owner: Owner) -> list[FieldRefusal]:
    found = []
    starts_on, ends_on = values.get("starts_on"), values.get("ends_on")
    if starts_on is not None and ends_on is not None and ends_on < starts_on:
        found.append(FieldRefusal("ends_on", f"{ends_on} is before starts_on, {starts_on}"))
    policy = values.get("sla_policy")
    if policy is not None:
        row = conn.execute(HAS_POLICY, (policy,)).fetchone()
        if row is None or not row[0]:
            found.append(FieldRefusal("sla_policy", f"there is no policy {policy!r}"))
    serials = values.get("devices", ALL_DEVICES)
    if serials != ALL_DEVICES:
        owners: dict[str, int | None] = dict(conn.execute(LOAD_OWNERS, (list(serials),)).fetchall())
        unknown = [serial for serial in serials if serial not in owners]
        others = [serial for serial in serials if serial in owners and owners[serial] != owner.id]
        if unknown:
            found.append(FieldRefusal("devices", f"not known: {_name_some(unknown)}"))
        if others:
            found.append(FieldRefusal("devices", f"not at {owner.code}: {_name_some(others)}"))
    return found


def _name_some(serials: Sequence[str]) -> str:
    return ", ".join(serials[:5]) + (f" and {len(serials) - 5} more" if len(serials) > 5 else "")


def _record_devices(conn: Connection, contract_id: int, serials: Sequence[str]) -> None:
    wanted = [] if serials == ALL_DEVICES else list(serials)
    values = {"id": contract_id, "serials": wanted}
    conn.execute(FORGET_DEVICES, values)
    conn.execute(RECORD_DEVICES, values)
