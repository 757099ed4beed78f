"""What other systems call our records, and how a record is found by such a name."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor, AuditEntry
from domain.audit_master_data import master_changed, master_created
from domain.errors import NotFoundError, RowVersionConflictError
from domain.master_data import (
    CODE_FIELD,
    ExternalName,
    FieldRefusal,
    MasterGuard,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
    find_name_problems,
    find_new_code,
)
from store.audit import record_audit
from store.pool import Connection

# One writer of master data at a time: what a line refers to stays as it was found until the transaction ends.
LOCK_MASTER_DATA = "SELECT pg_advisory_xact_lock(hashtextextended('forewarn master data', 0))"


def lock_master_data(conn: Connection) -> None:
    """Nobody else writes master data until the transaction ends."""
    conn.execute(LOCK_MASTER_DATA)


# The trigger device_master_change writes the history; this tells it who and when.
NAME_SOURCE = "SELECT set_config('forewarn.source', %s, true), set_config('forewarn.at', %s, true)"


def name_source(conn: Connection, source: str, at: datetime) -> None:
    """The dated history of devices says this of where the changes of the transaction come from, and since when they
    are: at that instant, or with the one before where the device was changed after it."""
    conn.execute(NAME_SOURCE, (source, at.isoformat()))


def find_source(actor: Actor) -> str:
    """Who it is, as the dated history names it."""
    return actor.name if actor.name.startswith("token:") else f"user:{actor.name}"


@dataclass(slots=True)
class Intake:
    """One transaction that takes in master data: who, when, and what the audit is told at its end."""

    conn: Connection
    actor: Actor
    now: datetime
    entries: list[AuditEntry] = field(default_factory=list)

    def begin(self) -> None:
        """Waits for other writers; the history of devices names this actor from here."""
        lock_master_data(self.conn)
        name_source(self.conn, find_source(self.actor), self.now)

    def finish(self, *more: AuditEntry) -> None:
        """Tells the audit; last in the transaction."""
        record_audit(self.conn, self.actor, *self.entries, *more)


_TABLES = {
    MasterKind.CUSTOMER: ("customer", "customer_id"),
    MasterKind.SITE: ("site", "site_id"),
    MasterKind.CONTRACT: ("service_contract", "contract_id"),
    MasterKind.DEVICE_MODEL: ("device_model", "device_model_id"),
    MasterKind.DEVICE: ("device", "device_id"),
}
_CODES = {MasterKind.DEVICE_MODEL: "key", MasterKind.DEVICE: "serial"}
LOAD_BY_REFERENCE = {
    kind: f"""
    SELECT t.id, t.{_CODES.get(kind, "code")} AS code, t.row_version, r.external_id, r.type
    FROM master_reference r JOIN {table} t ON t.id = r.{column}
    WHERE r.entity = '{kind}' AND r.system = %(system)s AND r.external_id = %(id)s
"""  # noqa: S608 - names are constants
    for kind, (table, column) in _TABLES.items()
}
LOAD_BY_CODE = {
    kind: f"""
    SELECT t.id, t.{_CODES.get(kind, "code")} AS code, t.row_version, r.external_id, r.type
    FROM {table} t LEFT JOIN master_reference r ON r.{column} = t.id AND r.system = %(system)s
    WHERE t.{_CODES.get(kind, "code")} = %(id)s
"""  # noqa: S608
    for kind, (table, column) in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Located:
    """A record that is known, and what the system of the request calls it (None: nothing yet)."""

    id: int
    code: str
    row_version: int
    external_id: str | None
    type: str | None


def load_by_name(conn: Connection, kind: MasterKind, name: ExternalName) -> Located | None:
    """The record that a system calls so; of the system `forewarn`, the one of that code."""
    query = LOAD_BY_CODE[kind] if name.is_own else LOAD_BY_REFERENCE[kind]
    with conn.cursor(row_factory=class_row(Located)) as cursor:
        return cursor.execute(query, {"system": name.system, "id": name.id}).fetchone()


def locate(
    conn: Connection, kind: MasterKind, name: ExternalName, given: dict[str, Any], expected_row_version: int | None
) -> Located | str | Refused:
    """The record that is meant: by its name, else by the code that is given; the code of a new one where there is none.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        The caller expected one that is not there, or at another version.
    """
    problems = find_name_problems(name)
    if problems:
        return Refused(tuple(problems))
    found = load_by_name(conn, kind, name)
    if found is None:
        code = find_new_code(kind, name, given)
        if isinstance(code, FieldRefusal):
            return Refused((code,))
        if not name.is_own or code != name.id:
            with conn.cursor(row_factory=class_row(Located)) as cursor:
                found = cursor.execute(LOAD_BY_CODE[kind], {"system": name.system, "id": code}).fetchone()
        if found is None:
            if expected_row_version is not None:
                raise NotFoundError(f"({kind} {name.id!r} of {name.system})")
            return code
        if found.external_id is not None:
            reason = f"{code} is {found.external_id} in {name.system}"
            return Refused((FieldRefusal(CODE_FIELD[kind], reason, MasterGuard.REFERENCE_TAKEN),))
    if expected_row_version is not None and found.row_version != expected_row_version:
        raise RowVersionConflictError(f"{found.code} is at version {found.row_version}, not {expected_row_version}.")
    code_given = given.get(CODE_FIELD[kind])
    if kind is not MasterKind.DEVICE and code_given not in (None, found.code):
        reason = f"is {found.code} and stays so"
        return Refused((FieldRefusal(CODE_FIELD[kind], reason, MasterGuard.CODE_FIXED),))
    return found


RECORD_REFERENCE = {
    kind: f"""
    INSERT INTO master_reference (entity, system, external_id, type, {column}, made_at)
    VALUES ('{kind}', %(system)s, %(id)s, %(type)s, %(record)s, %(now)s)
    ON CONFLICT (entity, system, external_id) DO UPDATE SET type = excluded.type
"""  # noqa: S608
    for kind, (_, column) in _TABLES.items()
}
RECORD_NAMES = {
    kind: f"""
    UPDATE {table} t SET external_refs = (SELECT jsonb_agg(jsonb_build_object('system', r.system, 'type', r.type,
        'id', r.external_id) ORDER BY r.system) FROM master_reference r WHERE r.{column} = t.id)
    WHERE t.id = %(record)s
"""  # noqa: S608
    for kind, (table, column) in _TABLES.items()
}


def is_new_name(name: ExternalName, found: Located | None) -> bool:
    """Whether the record is not called so by that system yet, or by another type."""
    if name.is_own:
        return False
    return found is None or found.external_id is None or (name.type != "" and found.type != name.type)


def record_reference(conn: Connection, kind: MasterKind, record_id: int, name: ExternalName, now: datetime) -> None:
    """That system calls the record so from now on; the caller has seen that it calls no other one so."""
    values = {"system": name.system, "id": name.id, "type": name.type, "record": record_id, "now": now}
    conn.execute(RECORD_REFERENCE[kind], values)
    conn.execute(RECORD_NAMES[kind], values)


def note_created(intake: Intake, kind: MasterKind, code: str, after: dict[str, Any], name: ExternalName) -> Upserted:
    """Tells the audit of a new record."""
    said = {field: value for field, value in after.items() if value not in ("", None, [])}
    intake.entries.append(master_created(kind, code, said | _describe_name(name)))
    return Upserted(UpsertAction.CREATED, code, tuple(said))


def note_changed(
    intake: Intake,
    kind: MasterKind,
    code: str,
    before: dict[str, Any],
    changes: dict[str, Any],
    name: ExternalName | None,
) -> Upserted:
    """Tells the audit of what changed, and of the new name where there is one."""
    was = {field: before.get(field) for field in changes}
    after = changes if name is None else changes | _describe_name(name)
    intake.entries.append(master_changed(kind, code, was, after))
    return Upserted(UpsertAction.CHANGED, code, tuple(after))


def _describe_name(name: ExternalName) -> dict[str, Any]:
    return {} if name.is_own else {"external_ref": {"system": name.system, "type": name.type, "id": name.id}}
