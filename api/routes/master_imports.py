"""Master data as CSV files: what became of each line, or would."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth import Caller
from api.once import IdempotencyKey, change_once
from api.problems import INVALID, UNSUPPORTED_CONTENT, ProblemError, declare
from api.routes.master_data import Writer
from api.shapes.master_data import ImportLine, ImportReport, LineError
from api.shapes.pages import Shape
from api.state import Database, now
from api.versioned_router import make_router
from domain.master_data import OWN_SYSTEM, SYSTEM_PATTERN, MasterKind, UpsertAction
from domain.master_data_file import FileLine, FileProblem, decode_file, parse_file
from store.master_imports import LineReport, record_import
from store.master_references import Intake
from store.pool import Connection

router = make_router(tag="master data")
System = Annotated[
    str,
    Query(
        pattern=f"^{SYSTEM_PATTERN.pattern}$",
        description="Whose names the column `external_id` holds; by default records are named by our own codes.",
    ),
]
_MEDIA = ("text/csv", "application/csv", "application/vnd.ms-excel")
_BODY = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
_RESPONSES = declare(415)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What every import takes beside its file."""

    pool: Database
    request: Request
    system: System = OWN_SYSTEM
    dry_run: bool = False
    idempotency_key: IdempotencyKey = None


Asked = Annotated[ImportRequest, Depends()]
Handler = TypeVar("Handler", bound=Callable[..., object])


def _importing(records: str, summary: str) -> Callable[[Handler], Handler]:
    """The route that takes a file of these records."""
    return router.post(
        f"/{records}/import",
        summary=summary,
        response_model=ImportReport,
        responses=_RESPONSES,
        openapi_extra=_BODY,
    )


class _Import(Shape):
    """What tells one import from another, for its Idempotency-Key."""

    sha256: str
    content_type: str
    system: str
    dry_run: bool


@_importing("customers", "Import customers")
async def import_customers(caller: Writer, asked: Asked) -> Response:
    """CSV of customers. Lines that can be are taken, all at once; the others are left out and reported."""
    return await _import(MasterKind.CUSTOMER, asked, caller)


@_importing("sites", "Import sites")
async def import_sites(caller: Writer, asked: Asked) -> Response:
    """CSV of sites. Lines that can be are taken, all at once; the others are left out and reported."""
    return await _import(MasterKind.SITE, asked, caller)


@_importing("contracts", "Import contracts")
async def import_contracts(caller: Writer, asked: Asked) -> Response:
    """CSV of contracts. Lines that can be are taken, all at once; the others are left out and reported."""
    return await _import(MasterKind.CONTRACT, asked, caller)


@_importing("devices", "Import devices")
async def import_devices(caller: Writer, asked: Asked) -> Response:
    """CSV of devices. Lines that can be are taken, all at once; the others are left out and reported. A line that would
    change serial, UDI or owner of a known device is left out whole (guard `key_field`)."""
    return await _import(MasterKind.DEVICE, asked, caller)


async def _import(kind: MasterKind, asked: ImportRequest, caller: Caller) -> Response:
    request, system, dry_run = asked.request, asked.system, asked.dry_run
    content_type = request.headers.get("content-type", "")
    media, _, parameters = content_type.partition(";")
    if media.strip().lower() not in _MEDIA:
        raise ProblemError(UNSUPPORTED_CONTENT, "The body must be CSV (Content-Type: text/csv).")
    content = await request.body()  # the edge ends what is longer than is taken
    charset = next((p.partition("=")[2] for p in parameters.split(";") if p.strip().lower().startswith("charset=")), "")
    wanted = _Import(
        sha256=hashlib.sha256(content).hexdigest(), content_type=content_type, system=system, dry_run=dry_run
    )

    def run() -> Response:
        lines = read_lines(kind, content, charset, system)

        def work(conn: Connection) -> tuple[ImportReport, dict[str, str]]:
            with conn.transaction(force_rollback=dry_run):
                intake = Intake(conn, caller.actor, now())
                reports = record_import(intake, kind, lines, system=system, sha256=wanted.sha256)
            return shape_report(reports, dry_run=dry_run), {}

        return change_once(asked.pool, caller, request, asked.idempotency_key, wanted, work, status=200)

    return await run_in_threadpool(run)


def read_lines(kind: MasterKind, content: bytes, charset: str, system: str) -> list[FileLine]:
    """The lines of the file.

    Raises
    ------
    ProblemError
        422: it cannot be read as a whole; where and why.
    """
    text = decode_file(content, charset)
    problems = [text] if isinstance(text, FileProblem) else []
    lines: list[FileLine] = []
    if isinstance(text, str):
        for found in parse_file(kind, text, by_reference=system != OWN_SYSTEM):
            if isinstance(found, FileProblem):
                problems.append(found)
            else:
                lines.append(found)
    if problems:
        fields = {p.field: f"line {p.line}: {p.reason}" if p.line else p.reason for p in problems}
        raise ProblemError(INVALID, fields=fields)
    return lines


def shape_report(reports: list[LineReport], *, dry_run: bool) -> ImportReport:
    """The report, line by line."""
    counts = {action.value: sum(report.action is action for report in reports) for action in UpsertAction}
    items = [
        ImportLine(
            line=report.line,
            action=report.action,
            external_id=report.external_id,
            code=report.code,
            fields=list(report.fields),
            errors=[LineError(field=r.field, reason=r.reason, guard=r.guard) for r in report.refusals],
        )
        for report in reports
    ]
    return ImportReport(dry_run=dry_run, lines=len(reports), items=items, **counts)
