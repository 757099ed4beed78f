"""Files of master data: every line that can be is taken, the others are left out and reported; one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.audit_master_data import master_data_imported
from domain.master_data import (
    CODE_FIELD,
    OWN_SYSTEM,
    ExternalName,
    FieldRefusal,
    MasterKind,
    Refused,
    UpsertAction,
    Upserted,
)
from domain.master_data_file import FileLine
from store.master_contracts import upsert_contract
from store.master_customers import upsert_customer
from store.master_devices import upsert_device
from store.master_references import Intake
from store.master_sites import upsert_site


@dataclass(frozen=True, slots=True)
class LineReport:
    """What became of one line: `line` counts from 1, the header included."""

    line: int
    action: UpsertAction
    external_id: str
    code: str
    fields: tuple[str, ...]
    refusals: tuple[FieldRefusal, ...]


def upsert_record(
    intake: Intake,
    kind: MasterKind,
    name: ExternalName,
    given: dict[str, Any],
    *,
    expected_row_version: int | None = None,
    is_line: bool = False,
) -> Upserted | Refused:
    """The record of that kind is as it is said, or was left as it was; `is_line`: of a file, which takes nothing back.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        As of `store.master_references.locate`.
    """
    if kind is MasterKind.CUSTOMER:
        return upsert_customer(intake, name, given, expected_row_version=expected_row_version, merges_contacts=is_line)
    upsert = {MasterKind.SITE: upsert_site, MasterKind.CONTRACT: upsert_contract, MasterKind.DEVICE: upsert_device}[
        kind
    ]
    return upsert(intake, name, given, expected_row_version=expected_row_version)


def record_import(
    intake: Intake, kind: MasterKind, lines: Sequence[FileLine], *, system: str, sha256: str
) -> list[LineReport]:
    """What became of each line. The same file again changes nothing, and the audit then says nothing."""
    intake.begin()
    reports = [_record_line(intake, kind, line, system) for line in lines]
    counts = {action.value: sum(report.action is action for report in reports) for action in UpsertAction}
    summary = {"system": system, "sha256": sha256, "lines": len(lines), **counts}
    intake.finish(*([master_data_imported(kind, summary)] if intake.entries else []))
    return reports


def _record_line(intake: Intake, kind: MasterKind, line: FileLine, system: str) -> LineReport:
    code = str(line.values.get(CODE_FIELD[kind], ""))
    if line.refusals:
        return LineReport(line.line, UpsertAction.REFUSED, line.external_id, code, (), line.refusals)
    is_own = system == OWN_SYSTEM
    name = ExternalName(system, code if is_own else line.external_id, line.external_type)
    done = upsert_record(intake, kind, name, dict(line.values), is_line=True)
    if isinstance(done, Refused):
        return LineReport(line.line, UpsertAction.REFUSED, line.external_id, code, (), done.refusals)
    return LineReport(line.line, done.action, line.external_id, done.code, done.fields, ())
