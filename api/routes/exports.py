"""Lists as files: checked, written, logged and only then sent; and the log of all that was taken."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.export_file import WRITERS, HashedFile, send_file
from api.once import change
from api.problems import FORBIDDEN, INVALID, ProblemError, declare, not_found
from api.shapes.exports import ExportLists, ExportListShape, ExportShape, NewExport
from api.shapes.pages import Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.export import (
    ExportList,
    ExportWish,
    find_column_problems,
    find_watermark,
    is_identifiable,
    read_filter,
)
from domain.masking import MASK, find_right, mask_json
from domain.roles import Permission
from store.export_lists import EXPORT_LISTS, iterate_export
from store.exports import ExportFile, load_exports, record_export, take_export_code, verify_export_approved
from store.pool import Connection

router = make_router("/exports", tag="exports")
Taker = Annotated[Caller, require(Permission.EXPORT_TAKE)]
_FILES = {"content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}}}


@router.get("/lists", summary="What can be taken out")
def list_exportable(caller: Taker) -> ExportLists:
    """The lists that the caller may read, with their columns and filters."""
    return ExportLists(
        items=tuple(
            ExportListShape(
                name=what.name,
                permission=what.permission.value,
                columns=what.columns,
                personal_columns=tuple(name for name in what.columns if name in what.personal_columns),
                filters={name: kind.value for name, kind in what.filters.items()},
            )
            for what in EXPORT_LISTS.values()
            if caller.may(what.permission)
        )
    )


@router.get("", summary="What was taken out")
def list_exports(
    caller: Taker,
    pool: Database,
    actor: str = "",
    list: str = "",  # noqa: A002 - the parameter's public name
    identifiable: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ExportShape]:
    """One's own exports, newest first; an auditor, and who grants exports, reads everybody's."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found = load_exports(
            conn,
            actor=actor if _reads_all(caller) else caller.name,
            list_=list,
            identifiable=identifiable,
            before_id=int(keys[0]) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    items = [_shape(export) for export in page]
    return Page(items=items, next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None)


@router.get("/{code}", summary="One file that was taken out", responses=declare(404))
def read_export(code: str, caller: Taker, pool: Database) -> ExportShape:
    """Who took what, when, why, and the hash of the file."""
    with pool.connection() as conn:
        found = load_exports(conn, code=code, actor="" if _reads_all(caller) else caller.name, limit=1)
    if not found or not code:
        raise not_found("export", code, "code")
    return _shape(found[0])


@router.post("", summary="Take a list out", response_class=Response, responses=declare(404, 409, ok=_FILES))
def take_export(caller: Taker, pool: Database, body: NewExport) -> Response:
    """The list as a file. It is in the log before its first byte is sent, and carries its number, taker and time.

    Columns that name people need `approval_request`: a request of kind `identifiable_export` for exactly this list,
    format, filter and columns, asked by the caller and granted by another person. It can be taken once.
    """
    what = EXPORT_LISTS.get(body.list)
    if what is None:
        raise ProblemError(INVALID, fields={"list": f"must be one of {', '.join(sorted(EXPORT_LISTS))}"})
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "A customer's account takes no lists out.")
    if not caller.may(what.permission):
        raise missing_permission(what.permission)
    columns = what.default_columns if body.columns is None else body.columns
    given = {name: [*value] if isinstance(value, tuple) else value for name, value in body.filter.items()}
    values, problems = read_filter(what, given)
    problems |= find_column_problems(what, columns)
    if problems:
        raise ProblemError(INVALID, fields=problems)
    for name in columns:
        right = find_right(what.record, name)
        if right is not None and not caller.may(right):
            raise missing_permission(right)
    wish = ExportWish(what.name, body.format, given, columns)

    def work(conn: Connection) -> tuple[HashedFile, ExportFile, str, str]:
        at = now()
        named = is_identifiable(what, columns)
        approval = verify_export_approved(conn, caller.actor, wish, body.approval_request, at) if named else None
        code = take_export_code(conn, at)
        watermark = find_watermark(code, caller.full_name, caller.name, at)
        written = HashedFile()
        try:
            rows = _choose(conn, what, columns, values, caller, is_named=named)
            WRITERS[body.format](rows, columns, watermark, written)
            file = written.finish()
            record_export(
                conn,
                caller.actor,
                code,
                wish,
                file,
                customer_id=caller.customer_id,
                approval=approval,
                now=at,
                reason=body.reason,
            )
        except BaseException:
            written.file.close()
            raise
        return written, file, code, watermark

    written, file, code, watermark = change(pool, work)
    name = f"{code}_{what.name}.{body.format}"
    return send_file(written, file, name=name, format_=body.format, watermark=watermark)


def _choose(
    conn: Connection,
    what: ExportList,
    columns: Sequence[str],
    values: dict[str, Any],
    caller: Caller,
    *,
    is_named: bool,
) -> Iterator[Sequence[Any]]:
    """The wanted columns of every row. Without a second person's consent nobody is named in free JSON either."""
    rights = caller.permissions if is_named else frozenset[Permission]()
    places = [what.columns.index(name) for name in columns]
    entity = what.columns.index("entity") if what.record == "audit" else None
    about = columns.index("entity_id") if entity is not None and "entity_id" in columns else None
    for row in iterate_export(conn, what.name, values, customer_id=caller.customer_id):
        chosen = [mask_json(row[place], rights) if isinstance(row[place], dict) else row[place] for place in places]
        if about is not None and not is_named and entity is not None and row[entity] == "user":
            chosen[about] = MASK  # an account is named by its owner's name
        yield chosen


def _reads_all(caller: Caller) -> bool:
    return caller.customer_id is None and (caller.may(Permission.AUDIT_READ) or caller.may(Permission.EXPORT_APPROVE))


def _shape(export: Any) -> ExportShape:
    return ExportShape.model_validate({name: getattr(export, name) for name in ExportShape.model_fields})
