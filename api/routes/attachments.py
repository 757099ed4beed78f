"""Files of a work order: streamed in, told by their content, kept under their hash, given out as mere bytes."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

import orjson
from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from api.auth import Caller, require
from api.masking import mask_shape
from api.once import change
from api.problems import (
    ATTACHMENT_DAMAGED,
    GUARD_REFUSED,
    INVALID,
    UNAVAILABLE,
    UNSUPPORTED_CONTENT,
    UPLOAD_TIMEOUT,
    ProblemError,
    declare,
    not_found,
)
from api.routes.work_orders import find_row
from api.shapes.pages import Instant
from api.shapes.work_order_records import AttachmentList, AttachmentShape
from api.state import Database, State, now
from api.versioned_router import make_router
from domain.attachment import (
    Attachment,
    AttachmentGuard,
    AttachmentKind,
    ContentSniffer,
    MediaType,
    Visibility,
    find_attachment_refusal,
    find_declared_refusal,
    find_safe_name,
)
from domain.errors import AttachmentDamagedError
from domain.refusal import RecordRefusal
from domain.roles import Permission
from domain.work_order import WorkOrderState
from store.attachment_files import IncomingFile, open_verified, read_blocks
from store.attachments import AttachmentDraft, load_attachment, load_attachments, record_attachment
from store.pool import Connection, Pool

log = logging.getLogger("forewarn.api")
router = make_router("/work-orders", tag="service")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Attacher = Annotated[Caller, require(Permission.WORK_ORDER_ATTACH)]
# So many files come in at once in one process; more are told to come again.
UPLOADS = BoundedSemaphore(8)
_PIECE = 256 * 1024
_SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_CONTENTS = {media.value: {"schema": {"type": "string", "format": "binary"}} for media in MediaType}


@router.get("/{code}/attachments", summary="Files of a work order", responses=declare(404))
def list_attachments(code: str, caller: Reader, pool: Database) -> AttachmentList:
    """The oldest first; a customer's users see those that are meant for them."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        files = load_attachments(conn, row.id, internal=_sees_internal(caller))
    return AttachmentList(items=[_shape(file, caller) for file in files])


@router.post(
    "/{code}/attachments",
    summary="Attach a file",
    status_code=201,
    response_model=AttachmentShape,
    responses=declare(404, 408, 409, 415)
    | {200: {"model": AttachmentShape, "description": "The order had this very file already."}},
    openapi_extra={"requestBody": {"required": True, "content": _FILE}},
)
async def attach_file(
    code: str,
    request: Request,
    caller: Attacher,
    state: State,
    kind: AttachmentKind,
    file_name: Annotated[str, Query(min_length=1, max_length=500)],
    visibility: Visibility = Visibility.INTERNAL,
    captured_at: Annotated[Instant | None, Query(description="When it was taken; by default now.")] = None,
    captured_by: Annotated[str, Query(max_length=200, description="Who took it; by default who sends it.")] = "",
    note: Annotated[str, Query(max_length=2000)] = "",
    sha256: Annotated[str, Query(pattern="^([0-9a-f]{64})?$", description="If given, the content must have it.")] = "",
) -> Response:
    """The body is the file itself, not a form. What it is tells its content: JPEG, PNG, WebP, PDF, MP4, CSV or text in
    UTF-8; anything else is refused, SVG and HTML too. It can never be changed or removed."""
    at = now()
    await run_in_threadpool(_verify_open, state.pool, code, caller, captured_at or at, at)
    if not UPLOADS.acquire(blocking=False):
        raise ProblemError(UNAVAILABLE, "Too many files are coming in; try again soon.", headers={"Retry-After": "5"})
    try:
        incoming = await run_in_threadpool(IncomingFile, state.settings.attachments)
        try:
            media_type, digest = await _receive(request, incoming, file_name, state.settings.upload_seconds, sha256)
            draft = AttachmentDraft(
                sha256=digest,
                size=incoming.size,
                kind=kind,
                media_type=media_type,
                visibility=visibility,
                file_name=find_safe_name(file_name, media_type),
                note=note.strip(),
                captured_at=captured_at or at,
                captured_by=captured_by.strip() or caller.name,
            )

            def work(conn: Connection) -> tuple[Attachment, bool]:
                return record_attachment(conn, caller.actor, code, draft, now=now())

            file, is_new = await run_in_threadpool(change, state.pool, work)
        finally:
            await run_in_threadpool(incoming.discard)
    except OSError as error:
        log.exception("a file cannot be stored below %s", state.settings.attachments)
        raise ProblemError(UNAVAILABLE, "The file cannot be stored now.", headers={"Retry-After": "60"}) from error
    finally:
        UPLOADS.release()
    answer = _shape(file, caller).model_dump(mode="json")
    address = f"/api/v1/work-orders/{code}/attachments/{file.id}/content"
    return Response(orjson.dumps(answer), 201 if is_new else 200, {"Location": address}, media_type="application/json")


async def _receive(
    request: Request, incoming: IncomingFile, file_name: str, seconds: float, wanted_sha256: str
) -> tuple[MediaType, str]:
    """(what it is, its hash) of the body, which is kept then. The edge ends what is longer than is taken."""
    sniffer, waiting = ContentSniffer(file_name), bytearray()

    def take(piece: bytes) -> None:
        sniffer.feed(piece)
        incoming.write(piece)

    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                waiting += chunk
                if len(waiting) >= _PIECE:
                    await run_in_threadpool(take, bytes(waiting))
                    waiting.clear()
    except TimeoutError as error:
        raise ProblemError(UPLOAD_TIMEOUT, f"The file was not here after {seconds:g} s.") from error
    except ClientDisconnect as error:  # nobody is there to read the answer; the log is
        raise ProblemError(UPLOAD_TIMEOUT, "The connection ended before the file was here.") from error
    await run_in_threadpool(take, bytes(waiting))
    media_type = sniffer.find_media_type()
    if isinstance(media_type, RecordRefusal):
        raise ProblemError(UNSUPPORTED_CONTENT, media_type.detail, guard=media_type.guard)
    refusal = find_declared_refusal(request.headers.get("content-type", ""), media_type)
    if refusal is not None:
        raise ProblemError(UNSUPPORTED_CONTENT, refusal.detail, guard=refusal.guard)
    if wanted_sha256 and wanted_sha256 != incoming.sha256:
        raise ProblemError(INVALID, fields={"sha256": "is not that of the body"}, guard=AttachmentGuard.HASH_DIFFERS)
    return media_type, await run_in_threadpool(incoming.keep)


def _verify_open(pool: Pool, code: str, caller: Caller, captured_at: datetime, at: datetime) -> None:
    """Before a byte is read: the order is there, the caller's to see, and takes files."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        files = load_attachments(conn, row.id, internal=True)
    refusal = find_attachment_refusal(WorkOrderState(row.state), len(files), captured_at, at)
    if refusal is not None and refusal.guard != AttachmentGuard.TOO_MANY_FILES:  # it may be one of those
        raise ProblemError(GUARD_REFUSED, refusal.detail, guard=refusal.guard)


@router.get(
    "/{code}/attachments/{attachment_id}/content",
    summary="The file itself",
    response_class=StreamingResponse,
    responses=declare(404, ok={"description": "The bytes, checked against their hash.", "content": _CONTENTS}),
)
def read_content(
    code: str,
    attachment_id: int,
    caller: Reader,
    pool: Database,
    state: State,
    inline: Annotated[bool, Query(description="To be shown in a page: of pictures alone.")] = False,
) -> StreamingResponse:
    """The bytes as they came in. A browser saves them; nothing in them is ever run."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        file = load_attachment(conn, row.id, attachment_id, internal=_sees_internal(caller))
    if file is None:
        raise not_found("attachment", str(attachment_id), "attachment_id")
    try:
        content = open_verified(state.settings.attachments, file.sha256)
    except AttachmentDamagedError as error:
        log.error("attachment %d of %s: %s", file.id, file.work_order, error)
        raise ProblemError(ATTACHMENT_DAMAGED, sha256=file.sha256) from error
    return StreamingResponse(_stream(content), headers=find_headers(file, inline=inline), media_type=None)


def find_headers(file: Attachment, *, inline: bool) -> dict[str, str]:
    """What keeps a browser from taking the bytes for anything but what they are."""
    is_text = file.media_type in (MediaType.CSV, MediaType.TEXT)
    shown = "inline" if inline and file.media_type.is_image else "attachment"
    plain = "".join(c if c.isascii() and c not in '"\\' else "_" for c in file.file_name)
    return {
        "Content-Type": f"{file.media_type}; charset=utf-8" if is_text else file.media_type.value,
        "Content-Length": str(file.size),
        "Content-Disposition": f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.file_name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _SANDBOX,
        "ETag": f'"{file.sha256}"',
    }


def _stream(content: BinaryIO) -> Iterator[bytes]:
    try:
        yield from read_blocks(content)
    finally:
        content.close()


def _sees_internal(caller: Caller) -> bool:
    return caller.customer_id is None and caller.may(Permission.STAFF_READ)


def _shape(file: Attachment, caller: Caller) -> AttachmentShape:
    values: dict[str, Any] = {name: getattr(file, name) for name in AttachmentShape.model_fields}
    return mask_shape("attachment", AttachmentShape.model_validate(values), caller)
