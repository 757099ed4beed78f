"""SLA policies: which times are promised to whom; a new version is shown before it is made, and runs no clock anew."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData

from api.console.forms import read_many, read_number, read_text
from api.console.page import View
from api.console.sla_views import (
    PolicyForm,
    find_form,
    find_form_values,
    find_pauses,
    find_policy_line,
    find_terms,
    find_version_changes,
    say_change,
)
from api.console.version_pages import SHOWN, Left, VersionPages
from api.console.version_views import ChangeLine, find_version_lines
from api.shapes.sla import NewPolicy, PolicyContent
from api.sla_drafts import check_calendar, read_policy_draft
from api.sla_previews import find_policy_changes
from domain.audit import Actor
from domain.roles import Permission
from domain.sla_policy import ClockKind, SlaPolicy
from domain.tickets import Priority
from store.pool import Connection, Pool
from store.service_calendars import CALENDARS
from store.sla_policies import (
    POLICIES,
    ContractPolicy,
    PolicyRow,
    assign_policy,
    change_policy,
    create_policy,
    load_contract_policy,
)
from store.sla_usage import count_without_policy, load_policy_usage, load_promises

Wish = tuple[PolicyContent, SlaPolicy]
Preview = list[ChangeLine]


class SlaPages(VersionPages[PolicyRow, Wish, Preview]):
    """Policies, and the contracts that go by them."""

    place, templates = "/admin/sla", ("admin_sla.html", "admin_sla_policy.html")
    entity, kind, records = "sla_policy", "SLA policy", POLICIES
    follower, unknown = "contract", "unknown"
    previews_new = False

    def read_content(self, view: View, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
        share = read_number(fields, "due_soon")
        content = {
            "service_calendar": read_text(fields, "service_calendar") or None,
            "due_soon_share": None if share is None else share / 100,
            "pauses": {kind.value: read_many(fields, f"pauses_{kind}") for kind in ClockKind},
            "terms": {
                p.value: {
                    "response_h": read_number(fields, f"{p}_response_h"),
                    "resolution_h": read_number(fields, f"{p}_resolution_h"),
                    "around_the_clock": bool(read_text(fields, f"{p}_always")),
                }
                for p in Priority
            },
        }
        return content, {}

    def read_wish(self, pool: Pool, content: Mapping[str, Any]) -> Wish:
        body = (NewPolicy if "code" in content else PolicyContent).model_validate(content)
        policy = read_policy_draft(body)
        with pool.connection() as conn:
            check_calendar(conn, body.service_calendar)
        return body, policy

    def say_wrong(self, view: View, path: str) -> tuple[str, str]:
        match path.split("."):
            case "terms", priority, part, *_:
                name, asked = f"{priority}_{part}", part
            case "pauses", clock, *_:
                name, asked = f"pauses_{clock}", "pauses"
            case first, *_:
                name = asked = "due_soon" if first == "due_soon_share" else first
        return name, view.name("sla_wrong", asked)

    def preview(self, view: View, row: PolicyRow | None, wish: Wish) -> Preview:
        body, policy = wish
        differences = [] if row is None else find_policy_changes(row, body.name, policy, body.service_calendar)
        return [say_change(view, one) for one in differences]

    def create(self, conn: Connection, actor: Actor, code: str, wish: Wish, now: datetime) -> bool:
        body, policy = wish
        return create_policy(conn, actor, code, body.name, policy, body.service_calendar, reason=body.reason, now=now)

    def change(self, conn: Connection, actor: Actor, code: str, wish: Wish, expected: int, now: datetime) -> None:
        body, policy = wish
        calendar, reason = body.service_calendar, body.reason
        change_policy(
            conn, actor, code, body.name, policy, calendar, expected_row_version=expected, reason=reason, now=now
        )

    def load_follower(self, conn: Connection, name: str, customer_id: int | None) -> ContractPolicy | None:
        return load_contract_policy(conn, name, customer_id=customer_id)

    def assign(
        self, conn: Connection, actor: Actor, name: str, code: str, expected: int, reason: str, now: datetime
    ) -> None:
        assign_policy(conn, actor, name, code, expected_row_version=expected, reason=reason)

    def find_form(self, view: View, conn: Connection, row: PolicyRow | None, left: Left[Preview]) -> PolicyForm:
        calendars = [one.code for one in CALENDARS.load_page(conn, customer_id=view.person.customer_id, limit=500)]
        values = left.values or find_form_values(row)
        return find_form(view, values, left.wrong, calendars, is_new=row is None)

    def find_list(
        self, view: View, conn: Connection, rows: Sequence[PolicyRow], preview: Preview | None
    ) -> dict[str, Any]:
        customer_id = view.person.customer_id
        usage = load_policy_usage(conn, [row.code for row in rows], customer_id=customer_id)
        without = count_without_policy(conn, customer_id=customer_id)
        return {"rows": [find_policy_line(view, row, usage[row.code]) for row in rows], "without": without}

    def find_record(self, view: View, conn: Connection, row: PolicyRow, preview: Preview | None) -> dict[str, Any]:
        customer_id, sees = view.person.customer_id, view.may(Permission.CUSTOMER_READ)
        usage = load_policy_usage(conn, [row.code], customer_id=customer_id)[row.code]
        promises = load_promises(conn, row.code, customer_id=customer_id, limit=SHOWN) if sees else []
        versions = POLICIES.load_versions(conn, row.code)
        return {
            "line": find_policy_line(view, row, usage),
            "usage": usage,
            "terms": find_terms(view, row),
            "pauses": find_pauses(view, row.body),
            "due_soon": f"{100 * row.body['due_soon_share']:g}%",
            "promises": promises if sees else None,
            "more": max(usage.contracts - len(promises), 0),
            "preview": preview,
            "versions": find_version_lines(view, self.entity, versions, find_version_changes),
        }


router = SlaPages().make_router()
