"""The audit chain as a list: who did what, by which right, before and after."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.field_names import name_field
from api.console.page import View, find_view
from api.routes.audit import verify_all_customers
from api.state import Database
from domain.audit import AuditEvent
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events

router = APIRouter(include_in_schema=False)
ROWS = 50
FIELDS_SHOWN = 6
VALUE_SHOWN = 60
PAGES = {"work_order": "/work-orders/", "capa": "/capa/", "device": "/devices/"}


@router.get("/audit")
def show_audit(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.AUDIT_READ)],
    actor: str = "",
    entity_id: str = "",
    before: int | None = None,
) -> Response:
    """Events, newest first."""
    verify_all_customers(caller)
    view = find_view(request, caller)
    wanted = AuditFilter(actor=actor.strip()[:100], entity_id=entity_id.strip()[:100])
    with pool.connection() as conn:
        events = load_audit_events(conn, wanted, before_seq=before, limit=ROWS + 1)
        newest = load_audit_events(conn, limit=1)
    rest = len(events) > ROWS
    chosen = {"actor": wanted.actor, "entity_id": wanted.entity_id}
    return view.render(
        "audit.html",
        rows=[_find_row(view, event) for event in events[:ROWS]],
        actor=wanted.actor,
        entity_id=wanted.entity_id,
        filtered=any(chosen.values()),
        chain=view.t("audit.chain", seq=f"{newest[0].seq if newest else 0:,}"),
        older=view.link("/audit", before=events[ROWS - 1].seq, **chosen) if rest else None,
    )


def _find_row(view: View, event: AuditEvent) -> dict[str, object]:
    page = PAGES.get(event.entity)
    return {
        "seq": event.seq,
        "at": view.when(event.at),
        "utc": None if view.find_zone() is UTC else f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "actor": event.actor,
        "who": view.who(event.actor),
        "role": event.role,
        "permission": event.permission,
        "action": event.action,
        "entity": event.entity,
        "entity_id": event.entity_id,
        "href": f"{page}{event.entity_id}" if page and event.entity_id != "*" else None,
        "changes": [
            {**change, "label": name_field(view, str(change["field"]))}
            for change in find_changes(event.before, event.after)
        ],
        "reason": view.name("reason", event.reason),
    }


def find_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[dict[str, str | None]]:
    """What differs, field by field, short enough for a line; values as they are recorded."""
    names = sorted({*(before or {}), *(after or {})})
    changed = [name for name in names if (before or {}).get(name) != (after or {}).get(name)]
    return [
        {"field": name, "before": _say(before, name) if before else None, "after": _say(after, name)}
        for name in changed[:FIELDS_SHOWN]
    ]


def _say(values: Mapping[str, Any] | None, name: str) -> str:
    value = (values or {}).get(name)
    if value is None:
        text = "∅"
    else:
        text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_SHOWN else f"{text[: VALUE_SHOWN - 1]}…"
