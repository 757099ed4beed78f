"""The records of a work order as sections of its page: visits, checklists, parts, files, clocks, suggestions.

Each is read by the very function that answers the API, with its row limits and masking, and only when it is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from secrets import token_hex
from typing import Any

from api.console.checklist_views import find_lists
from api.console.clock_views import find_clocks
from api.console.forms import NOTHING, Typed
from api.console.language import load_catalogue
from api.console.order_rows import find_fault
from api.console.page import View
from api.console.part_views import find_parts
from api.console.suggestion_views import find_suggestions
from api.console.visit_views import find_visits
from api.routes.attachments import list_attachments
from api.routes.checklists import list_checklists
from api.routes.part_usages import list_parts
from api.routes.sla_clocks import read_order_clocks
from api.routes.suggestions import read_suggestions
from api.routes.visits import list_visits
from api.state import find_state
from domain.attachment import AttachmentKind, Visibility
from domain.roles import Permission
from domain.work_order import WorkOrder
from store.pool import Pool
from store.profiles import load_profiles
from store.work_order_pages import OrderCards
from store.work_order_records import RecordCounts

NAMES = ("visits", "checklists", "parts", "files", "clocks", "suggestions")
# What is done by the records that a phone keeps until there is a network.
QUEUED = (
    Permission.WORK_ORDER_READ,
    Permission.WORK_ORDER_NOTE,
    Permission.WORK_ORDER_WORK,
    Permission.WORK_ORDER_ATTACH,
)
INSIDERS = frozenset({"checklists", "suggestions"})  # for the maker's people


@dataclass(frozen=True, slots=True)
class Refused:
    """A form of a section that could not be taken: why, and every field as it was typed."""

    section: str
    problem: str
    values: Mapping[str, str] = field(default_factory=dict)
    status: int = 409
    wrong: Mapping[str, str] = field(default_factory=dict)  # what is the matter with which fields

    @property
    def typed(self) -> Typed:
        """What was typed, as the section shows it again."""
        return Typed(self.section, self.values, self.wrong)


def find_summaries(view: View, order: WorkOrder, counts: RecordCounts) -> list[dict[str, Any]]:
    """The sections of that order that this person may open, each with what is in it."""
    t = view.t
    said = {
        "visits": t("section.visits_say", count=counts.visits)
        + (t("section.visit_under_way") if counts.is_visit_under_way else ""),
        "checklists": t("section.checklists_say", answered=counts.answered, lines=counts.lines)
        if counts.lines
        else t("section.none"),
        "parts": t("section.parts_say", used=counts.parts_used, asked=counts.parts_asked),
        "files": t("section.files_say", count=counts.files),
        "clocks": "",
        "suggestions": "",
    }
    shown = [name for name in NAMES if name not in INSIDERS or view.may(Permission.STAFF_READ)]
    return [
        {
            "name": name,
            "title": t(f"section.{name}"),
            "says": said[name],
            "address": f"/work-orders/{order.code}/sections/{name}",
            "link": f"/work-orders/{order.code}?open={name}#section-{name}",
        }
        for name in shown
    ]


def load_section(
    view: View, pool: Pool, order: WorkOrder, cards: OrderCards, name: str, refused: Refused | None = None
) -> dict[str, Any]:
    """What the template of that section shows; with `refused` what was typed stands where it was typed."""
    caller = view.person
    zone = cards.site_time_zone
    typed = NOTHING if refused is None else refused.typed.of(name)
    content: dict[str, Any]
    match name:
        case "visits":
            content = find_visits(view, order, list_visits(order.code, caller, pool).items, zone, typed)
        case "parts":
            is_critical = bool(cards.safety_critical)
            content = find_parts(view, order, list_parts(order.code, caller, pool).items, zone, typed, is_critical)
        case "checklists":
            files = list_attachments(order.code, caller, pool).items
            content = find_lists(view, order, list_checklists(order.code, caller, pool).items, files, zone, typed)
        case "files":
            content = find_files(view, order, list_attachments(order.code, caller, pool).items, zone)
        case "clocks":
            content = find_clocks(view, pool, order, read_order_clocks(order.code, caller, pool).items, zone, typed)
        case _:
            said = read_suggestions(order.code, caller, pool)
            with pool.connection() as conn:
                fault = find_fault(view, load_profiles(conn), cards.model, order.fault_group)
            content = find_suggestions(view, said, fault, zone)
    problem = refused.problem if refused is not None and refused.section == name else None
    return {"name": name, "title": view.t(f"section.{name}"), "code": order.code, "problem": problem, **content}


def find_files(view: View, order: WorkOrder, files: list[Any], zone: str | None) -> dict[str, Any]:
    """The files of the order, the newest first, and whether another may be attached."""
    address = f"/api/v1/work-orders/{order.code}/attachments"
    hidden = view.t("fact.hidden")
    refusal = ""
    if not view.may(Permission.WORK_ORDER_ATTACH):
        refusal = view.say_missing(Permission.WORK_ORDER_ATTACH)
    elif not order.state.is_open:
        refusal = view.name("record_guard", "order_over")
    return {
        "files": [
            {
                "name": f.file_name,
                "address": f"{address}/{f.id}/content",
                "kind": view.name("file_kind", f.kind),
                "visibility": view.name("visibility", f.visibility),
                "is_internal": f.visibility is Visibility.INTERNAL,
                "size": say_size(f.size),
                "sha256": f.sha256,
                "is_picture": f.media_type.is_image,
                "note": f.note or "",
                "by": view.who(f.captured_by) or hidden,
                "captured": view.when(f.captured_at, zone),
                "order": f.work_order if f.work_order != order.code else "",
            }
            for f in reversed(files)
        ],
        "upload": address,
        "refusal": refusal,
        "kinds": [(kind.value, view.name("file_kind", kind.value)) for kind in AttachmentKind],
        "visibilities": [(one.value, view.name("visibility", one.value)) for one in Visibility],
        "see_internal": view.person.customer_id is None and view.may(Permission.STAFF_READ),
    }


def make_once() -> str:
    """A word for one form, so that sending it twice does what it asks for once."""
    return token_hex(16)


def say_size(size: int) -> str:
    """Bytes as people read them, to three figures."""
    if size < 1000:
        return f"{size} B"
    value, unit = (size / 1e3, "kB") if size < 1e6 else (size / 1e6, "MB")
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def find_script_words(view: View) -> dict[str, Any]:
    """What outbox.js says by itself, and all that it needs to say why something that it sent was refused."""
    return {
        "say": {
            **_find_messages(view.language, "outbox."),
            **_find_messages(view.language, "record."),
            "comma": view.t("list.comma"),
        },
        "guards": _find_messages(view.language, "record_guard."),
        "fields": _find_messages(view.language, "record_field."),
        "wrongs": _find_messages(view.language, "record_wrong."),
        "rights": {right.value: view.say_missing(right) for right in QUEUED},
        "most": find_state(view.request).settings.max_attachment_bytes,
    }


@cache
def _find_messages(language: str, prefix: str) -> Mapping[str, Any]:
    catalogue = load_catalogue(language)
    return {key.removeprefix(prefix): text for key, text in catalogue.items() if key.startswith(prefix)}
