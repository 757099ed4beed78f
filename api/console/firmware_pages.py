"""Firmware that may be installed: the list with its coverage, and the page of one version with its signatures."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.field_action_acts import GUARDS
from api.console.firmware_views import (
    CHANGE_ACT,
    NAMES,
    REGISTER_ACT,
    find_change_act,
    find_facts,
    find_firmware_acts,
    find_href,
    find_line,
    find_register_act,
    find_stages,
)
from api.console.form_faults import Fault, find_shape_faults
from api.console.forms import (
    NOT_REFUSED,
    NOTHING,
    Fields,
    Refused,
    Typed,
    Version,
    find_guarded,
    find_typed,
    find_unsigned,
    find_unusable,
    read_sent_whole,
    read_text,
    sign,
    take_step,
)
from api.console.page import View, find_view
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.once import change
from api.problems import not_found
from api.shapes.firmware_records import FirmwareImage, NewFirmware
from api.state import Database
from domain.errors import GuardRefusedError, NotFoundError
from domain.firmware_record import (
    FIRMWARE_TRANSITIONS,
    FirmwareRecord,
    FirmwareRecordState,
    FirmwareRequest,
    find_firmware_content,
    is_firmware_step_signed,
)
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events
from store.firmware import load_firmware_counts
from store.firmware_records import (
    ENTITY,
    change_firmware,
    load_firmware_record,
    load_firmware_records,
    load_signers,
    lock_firmware,
    record_firmware_step,
    register_firmware,
)
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.signatures import load_signatures

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIRMWARE_WRITE)]
ROWS = 50


@router.get("/firmware")
def show_firmware(request: Request, pool: Database, caller: Reader, before: int | None = None) -> Response:
    """Registered versions, newest first."""
    return _render_list(find_view(request, caller), pool, before=before)


def _load_counts(conn: Connection, view: View) -> dict[tuple[str, str], int]:
    found = load_firmware_counts(conn, customer_id=view.person.customer_id)
    return {(count.model, count.version): count.devices for count in found}


def _render_list(view: View, pool: Pool, *, before: int | None = None, refused: Refused = NOT_REFUSED) -> Response:
    with pool.connection() as conn:
        found = load_firmware_records(conn, before_id=before, limit=ROWS + 1)
        counts = _load_counts(conn, view)
        models = sorted(load_profiles(conn))
    return view.render(
        "firmware.html",
        refused.status,
        rows=[find_line(view, record, counts) for record in found[:ROWS]],
        older=view.link("/firmware", before=found[ROWS - 1].id) if len(found) > ROWS else None,
        proof=view.t("firmware.proof", devices=sum(counts.values()), count=len(counts)),
        problem=refused.problem,
        register=find_register_act(view, models, refused.typed),
    )


@router.post("/firmware/records")
def register(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Registers a version as a draft; two other people approve it."""
    view = find_view(request, caller)
    sent: dict[str, object] = {name: read_text(fields, name) for name in ("model", "component", "version")}
    sent |= {"is_simulated": read_text(fields, "records") == "simulated", **_read_image(fields)}
    try:
        body = NewFirmware.model_validate(sent)
    except ValidationError as error:
        return _render_list(view, pool, refused=_find_wrong_image(view, REGISTER_ACT, fields, error))
    actor = find_actor(caller, (Permission.FIRMWARE_WRITE,))
    try:
        made = change(pool, lambda conn: register_firmware(conn, actor, **body.model_dump(), now=view.now))
    except NotFoundError:
        wrong = {"model": Fault.NOT_A_CHOICE}
        return _render_list(view, pool, refused=find_unusable(view, REGISTER_ACT, fields, wrong))
    except GuardRefusedError as guard:
        refused = find_guarded(view, GUARDS, guard.guard, find_typed(REGISTER_ACT, fields))
        return _render_list(view, pool, refused=refused)
    if made is None:
        taken = view.t("firmware.taken")
        refused = Refused(taken, 409, find_typed(REGISTER_ACT, fields, {"version": taken}))
        return _render_list(view, pool, refused=refused)
    return RedirectResponse(view.link(find_href(made), done="saved"), 303)


def _read_image(fields: FormData) -> dict[str, object]:
    """What the form says of the image; a size that is no number is left for the shape to refuse."""
    said: dict[str, object] = {name: read_text(fields, name) for name in ("sha256", "url", "notes")}
    return said | {"size_bytes": read_sent_whole(fields, "size_bytes")}


def _find_wrong_image(view: View, act: str, fields: FormData, error: ValidationError) -> Refused:
    particular = {name: view.t(f"firmware_wrong.{name}") for name in ("sha256", "url") if read_text(fields, name)}
    return find_unusable(view, act, fields, find_shape_faults(error, particular))


@router.get("/firmware/{model}/{component}/{version}")
def show_version(
    request: Request, pool: Database, caller: Reader, model: str, component: str, version: str
) -> Response:
    """One version."""
    return _render(find_view(request, caller), pool, (model, component, version))


def _render(view: View, pool: Pool, key: tuple[str, str, str], refused: Refused = NOT_REFUSED) -> Response:
    with pool.connection() as conn:
        record = _find(conn, key)
        signed_by = load_signers(conn, record)
        signatures = load_signatures(conn, ENTITY, record.id, find_firmware_content(record))
        counts = _load_counts(conn, view)
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=record.code))
    line, typed = find_line(view, record, counts), refused.typed
    return view.render(
        "firmware_version.html",
        refused.status,
        problem=refused.problem,
        line=line,
        record={
            "code": record.code,
            "row_version": record.row_version,
            "notes": record.notes,
            "created": view.when(record.created_at),
            "withdraw_reason": record.withdraw_reason,
            "withdrawn": view.when(record.withdrawn_at) if record.withdrawn_at else None,
        },
        facts=find_facts(view, record, line),
        stage_list=find_stages(record),
        acts=find_firmware_acts(view, record, signed_by, typed),
        change=find_change_act(view, record, typed),
        signatures=find_signature_lines(view, signatures),
        timeline=find_audit_lines(view, events),
    )


@router.post("/firmware/{model}/{component}/{version}/record")
def change_version(
    request: Request,
    pool: Database,
    caller: Writer,
    model: str,
    component: str,
    version: str,
    row_version: Version,
    fields: Fields,
) -> Response:
    """Changes hash, address, size or notes of a draft; signatures on it as it was hold no more."""
    view, key = find_view(request, caller), (model, component, version)
    with pool.connection() as conn:
        record = _find(conn, key)
    try:
        image = FirmwareImage.model_validate(_read_image(fields))
    except ValidationError as error:
        return _render(view, pool, key, _find_wrong_image(view, CHANGE_ACT, fields, error))
    actor = find_actor(caller, (Permission.FIRMWARE_WRITE,))

    def work(conn: Connection) -> object:
        before = lock_firmware(conn, model, component, version, row_version)
        return change_firmware(conn, actor, before, image.model_dump(), now=view.now)

    return _answer(view, pool, record, work, find_typed(CHANGE_ACT, fields))


@router.post("/firmware/{model}/{component}/{version}/transitions")
def take_version_step(
    request: Request,
    pool: Database,
    caller: Reader,
    model: str,
    component: str,
    version: str,
    to: Annotated[FirmwareRecordState, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Approves, releases or withdraws; all but withdrawing what was never released is signed."""
    view, key = find_view(request, caller), (model, component, version)
    with pool.connection() as conn:
        record = _find(conn, key)
    needed, act = FIRMWARE_TRANSITIONS.get((record.state, to)), NAMES.get(to, "")
    if needed is None:
        return _render(view, pool, key, find_guarded(view, GUARDS, "no_such_transition", NOTHING))
    actor = find_actor(caller, (needed,))
    signature = sign(view, pool, fields) if is_firmware_step_signed(record.state, to) else None
    if isinstance(signature, str):
        return _render(view, pool, key, find_unsigned(signature, act, fields))
    wish = FirmwareRequest(to, read_text(fields, "reason"), signature)

    def work(conn: Connection) -> object:
        before = lock_firmware(conn, model, component, version, row_version)
        return record_firmware_step(conn, actor, before, wish, now=view.now)

    return _answer(view, pool, record, work, find_typed(act, fields))


def _answer(
    view: View, pool: Pool, record: FirmwareRecord, work: Callable[[Connection], object], typed: Typed
) -> Response:
    refused = take_step(view, pool, work, typed, guards=GUARDS, entity=ENTITY, code=record.code)
    if refused is not None:
        return _render(view, pool, (record.model, record.component, record.version), refused)
    return RedirectResponse(view.link(find_href(record), done="saved"), 303)


def _find(conn: Connection, key: tuple[str, str, str]) -> FirmwareRecord:
    record = load_firmware_record(conn, *key)
    if record is None:
        raise not_found("registered firmware", " ".join(key), "version")
    return record
