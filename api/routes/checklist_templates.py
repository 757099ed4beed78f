"""Templates of checklists; every version is kept, and orders keep the one that they got."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, declare, not_found
from api.routes.checklists import shape_item
from api.shapes.checklist_templates import NewTemplate, TemplateContent, TemplateShape, TemplateVersions
from api.shapes.pages import Page
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.checklist import LANGUAGES, ChecklistItem, TemplateKind, find_item_problems
from domain.errors import NotFoundError
from domain.roles import Permission
from store.checklist_templates import (
    ENTITY,
    TemplateDraft,
    TemplateRow,
    change_template,
    create_template,
    load_template,
    load_template_versions,
    load_templates,
)
from store.pool import Connection

router = make_router("/checklist-templates", tag="service")
Insider = Annotated[Caller, require(Permission.STAFF_READ)]
Writer = Annotated[Caller, require(Permission.TEMPLATE_WRITE)]
_IN_USE = "another template is in use for this kind and device model: take it out of use first"


@router.get("", summary="List templates")
def list_templates(
    caller: Insider,
    pool: Database,
    kind: TemplateKind | None = None,
    model: Annotated[str, Query(description="Key of the device model.")] = "",
    active: Annotated[bool | None, Query(description="In use, or not; by default both.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[TemplateShape]:
    """Templates by code, each in its current version."""
    keys = read_cursor(cursor, [str])
    with pool.connection() as conn:
        found = load_templates(
            conn, kind=kind or "", model=model, active=active, after=str(keys[0]) if keys else "", limit=limit + 1
        )
    page = found[:limit]
    return Page(
        items=[_shape(row) for row in page],
        next_cursor=make_cursor([page[-1].code]) if len(found) > limit else None,
    )


@router.get("/{code}", summary="One template", responses=declare(404))
def read_template(code: str, caller: Insider, pool: Database, response: Response) -> TemplateShape:
    """The template in its current version."""
    with pool.connection() as conn:
        row = _find(conn, code)
    response.headers["ETag"] = make_etag(row.row_version)
    return _shape(row)


@router.get("/{code}/versions", summary="Versions of a template", responses=declare(404))
def list_template_versions(code: str, caller: Insider, pool: Database) -> TemplateVersions:
    """Every version, the newest first."""
    with pool.connection() as conn:
        _find(conn, code)
        return TemplateVersions(items=[_shape(row) for row in load_template_versions(conn, code)])


@router.post("", summary="Make a template", status_code=201, response_model=TemplateShape, responses=declare(404, 409))
def make_template(
    caller: Writer, pool: Database, request: Request, body: NewTemplate, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes a template. Orders of its kind that are assigned from now on get its checklist."""
    draft = _read_draft(body)

    def work(conn: Connection) -> tuple[TemplateShape, dict[str, str]]:
        try:
            is_made = create_template(
                conn, caller.actor, body.code, body.kind, body.model, draft, reason=body.reason, now=now()
            )
        except NotFoundError as error:
            raise not_found("device model", body.model or "", "model") from error
        if not is_made:
            taken = load_template(conn, body.code) is not None
            fields = {"code": "is taken"} if taken else {"kind": _IN_USE}
            raise ProblemError(ALREADY_EXISTS, fields=fields, guard="code_taken" if taken else "template_in_use")
        row = _find(conn, body.code)
        headers = {"Location": f"/api/v1/checklist-templates/{row.code}", "ETag": make_etag(row.row_version)}
        return _shape(row), headers

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.put(
    "/{code}",
    summary="Change a template",
    response_model=TemplateShape,
    responses=declare(404, 409, 412, 428),
)
def replace_template(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: TemplateContent,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Makes the next version, or takes the template out of use. Orders keep the version that they got."""
    draft = _read_draft(body)

    def work(conn: Connection) -> tuple[TemplateShape, dict[str, str]]:
        is_changed = change_template(
            conn,
            caller.actor,
            code,
            draft,
            is_active=body.is_active,
            expected_row_version=version,
            reason=body.reason,
            now=now(),
        )
        if not is_changed:
            raise ProblemError(ALREADY_EXISTS, fields={"is_active": _IN_USE}, guard="template_in_use")
        row = _find(conn, code)
        return _shape(row), {"ETag": make_etag(row.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: _find(conn, code).row_version,
    )


def _read_draft(body: TemplateContent) -> TemplateDraft:
    """The draft that the body describes.

    Raises
    ------
    ProblemError
        422: a field cannot be used.
    """
    items = [
        ChecklistItem(i.key, i.kind, {str(k): v for k, v in i.text.items()}, i.required, i.low, i.high, i.unit)
        for i in body.items
    ]
    problems = find_item_problems(items)
    titles = {str(language): text for language, text in body.title.items()}
    problems |= {f"title.{lang}": "must say something" for lang in LANGUAGES if not titles.get(lang)}
    if problems:
        raise ProblemError(INVALID, fields=problems)
    return TemplateDraft(titles, items)


def _find(conn: Connection, code: str) -> TemplateRow:
    row = load_template(conn, code)
    if row is None:
        raise not_found("template", code, "code")
    return row


def _shape(row: TemplateRow) -> TemplateShape:
    values = {name: getattr(row, name) for name in TemplateShape.model_fields if name != "items"}
    return TemplateShape.model_validate(values | {"items": [shape_item(item) for item in row.items]})
