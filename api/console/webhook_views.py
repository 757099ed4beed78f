"""What the pages of webhooks show: endpoints, deliveries with their attempts, and the forms of each."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from api.auth import Caller
from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.forms import Typed
from api.console.instants import name_duration
from api.console.page import View
from api.console.place_words import tell_code
from api.webhook_changes import may_read_event
from domain.roles import Permission
from domain.webhook import EVENT_TYPES, DeliveryState, EndpointState, ReplayScope, StateCause, WebhookGuard
from domain.webhook_address import hide_query
from store.place_names import PlaceNames
from store.webhook_lists import Attempt, Delivery
from store.webhooks import MOST_COUNTED, Endpoint

MAKE_ACT, CHANGE_ACT, SECRET_ACT, REPLAY_ACT = "make_webhook", "change_webhook", "rotate_secret", "replay_webhook"
TEST_ACT, AGAIN_ACT = "test_webhook", "replay_delivery"
MOVES = {
    EndpointState.ENABLED: "enable_webhook",
    EndpointState.DISABLED: "disable_webhook",
    EndpointState.RETIRED: "retire_webhook",
}
OVERLAPS = (0, 1, 24, 168)


def build_endpoint(view: View, endpoint: Endpoint, places: PlaceNames) -> dict[str, Any]:
    """One line of the list, and the head of its page."""
    is_gone = endpoint.state is EndpointState.DISABLED and endpoint.state_cause is StateCause.GONE
    types = [view.name("event_type", kind) for kind in endpoint.event_types]
    return {
        "code": endpoint.code,
        "name": endpoint.name,
        "url": endpoint.url if view.may(Permission.WEBHOOK_MANAGE) else hide_query(endpoint.url),
        "host": endpoint.url.partition("//")[2].partition("/")[0].partition("?")[0],
        "types": view.t("list.comma").join(types) or view.t("webhooks.all_types"),
        "type_count": view.t("webhooks.type_count", count=len(types)) if types else view.t("webhooks.all_types"),
        "customer": tell_code(view, endpoint.customer, places.customers),
        "delay": name_duration(timedelta(seconds=endpoint.delay_s), view.language) if endpoint.delay_s else "",
        "state": view.name("webhook_state", endpoint.state),
        "is_enabled": endpoint.state is EndpointState.ENABLED,
        "is_gone": is_gone,
        "reason": view.t("webhooks.gone") if is_gone else endpoint.state_reason,
        "since": view.when(endpoint.state_since),
        "made": view.when(endpoint.created_at),
        "previous_until": view.when(endpoint.previous_until)
        if endpoint.previous_until is not None and endpoint.previous_until > view.now
        else None,
        "waiting": say_count(endpoint.waiting),
        "dead": say_count(endpoint.dead) if endpoint.dead else "",
        "oldest": view.when(endpoint.oldest_waiting_at),
        "last": view.when(endpoint.last_delivered_at),
    }


def say_count(count: int) -> str:
    """The count; of more than is counted, that there are more."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def say_dead(view: View, endpoints: Sequence[Endpoint]) -> str:
    """How many events were given up at all of these; "": none."""
    dead = sum(endpoint.dead for endpoint in endpoints)
    if any(endpoint.dead > MOST_COUNTED for endpoint in endpoints):
        return view.t("webhooks.dead_more", count=MOST_COUNTED)
    return view.t("webhooks.dead_count", count=dead) if dead else ""


def build_delivery(view: View, delivery: Delivery) -> dict[str, Any]:
    """One line of the list of deliveries."""
    return {
        "id": delivery.id,
        "type": delivery.type,
        "kind": view.name("event_type", delivery.type),
        "subject": delivery.subject,
        "state": view.name("delivery_state", delivery.state),
        "is_dead": delivery.state == DeliveryState.DEAD,
        "is_held": delivery.is_held,
        "attempts": delivery.attempts,
        "happened": view.when(delivery.happened_at),
        "due": view.when(delivery.due_at) if delivery.state == DeliveryState.WAITING and not delivery.is_held else None,
        "ended": view.when(delivery.finished_at),
        "why": _say_failure(view, delivery.last_error, delivery.last_status),
    }


def build_picked(view: View, caller: Caller, delivery: Delivery, attempts: list[Attempt]) -> dict[str, Any]:
    """One delivery with what was sent, as far as this person may read it, and what was answered each time."""
    return build_delivery(view, delivery) | {
        "event_id": str(delivery.event_id),
        "may_read": may_read_event(delivery, caller),
        "log": [
            {
                "number": attempt.number,
                "at": view.when(attempt.at),
                "took": view.t("webhooks.took", ms=attempt.duration_ms),
                "address": attempt.address or "–",
                "ok": not attempt.error,
                "what": view.t("webhooks.taken", status=attempt.status or "")
                if not attempt.error
                else _say_failure(view, attempt.error, attempt.status),
                "detail": attempt.detail,
                "response": attempt.response,
            }
            for attempt in attempts
        ],
    }


def find_make_act(view: View, typed: Typed) -> Act:
    """The form that makes an endpoint."""
    if not view.may(Permission.WEBHOOK_MANAGE):
        return refuse_act(view, MAKE_ACT, view.say_missing(Permission.WEBHOOK_MANAGE))
    said = typed.of(MAKE_ACT)
    return Act(
        *name_act(view, MAKE_ACT),
        action="/admin/webhooks/new",
        explain=view.t(f"act.explain_{MAKE_ACT}"),
        fields=_find_fields(view, said, {"delay_s": "0"}),
        open=bool(said.act),
    )


def find_acts(view: View, endpoint: Endpoint, missed: int, typed: Typed) -> list[Act]:
    """What can be done with an endpoint, in the order in which it is needed."""
    place = f"/admin/webhooks/{endpoint.code}"
    is_on = endpoint.state is EndpointState.ENABLED
    acts = [_find_move(view, endpoint, EndpointState.ENABLED, typed, missed)] if not is_on else []
    test = Act(TEST_ACT, view.t(f"act.{TEST_ACT}"), submit=view.t(f"act.{TEST_ACT}"), action=f"{place}/test")
    acts += [_guard(view, test, Permission.WEBHOOK_MANAGE, endpoint, needs_on=True)]
    acts += [_find_replay(view, endpoint, typed), _find_change(view, endpoint, typed), _find_rotation(view, endpoint)]
    if is_on:
        acts.append(_find_move(view, endpoint, EndpointState.DISABLED, typed))
    return [*acts, _find_move(view, endpoint, EndpointState.RETIRED, typed)]


def find_again_act(view: View, endpoint: Endpoint, delivery: Delivery) -> Act:
    """The button that delivers one event again."""
    act = Act(
        AGAIN_ACT,
        view.t(f"act.{AGAIN_ACT}"),
        submit=view.t(f"act.{AGAIN_ACT}"),
        action=f"/admin/webhooks/{endpoint.code}/deliveries/{delivery.id}/replay",
    )
    if delivery.state == DeliveryState.WAITING:
        return Act(AGAIN_ACT, act.label, refusal=view.name("webhook_guard", WebhookGuard.WAITING_ALREADY))
    return _guard(view, act, Permission.WEBHOOK_REPLAY, endpoint, needs_on=True)


def _find_change(view: View, endpoint: Endpoint, typed: Typed) -> Act:
    said = typed.of(CHANGE_ACT)
    now = {
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": " ".join(endpoint.event_types),
        "customer": endpoint.customer or "",
        "delay_s": str(endpoint.delay_s),
    }
    reason = Field("reason", view.t("field.reason"), "text", said.values.get("reason", ""), required=False, limit=1000)
    act = Act(
        *name_act(view, CHANGE_ACT),
        action=f"/admin/webhooks/{endpoint.code}/change",
        row_version=endpoint.row_version,
        explain=view.t(f"act.explain_{CHANGE_ACT}"),
        fields=mark_fields((*_find_fields(view, said, now), reason), said.wrong),
        open=bool(said.act),
    )
    return _guard(view, act, Permission.WEBHOOK_MANAGE, endpoint)


def _find_rotation(view: View, endpoint: Endpoint) -> Act:
    choices = tuple((str(hours), view.t("webhooks.overlap", count=hours)) for hours in OVERLAPS)
    act = Act(
        *name_act(view, SECRET_ACT),
        action=f"/admin/webhooks/{endpoint.code}/secret",
        row_version=endpoint.row_version,
        explain=view.t(f"act.explain_{SECRET_ACT}"),
        fields=(Field("overlap_h", view.t("webhooks.overlap_h"), "select", "24", choices),),
    )
    return _guard(view, act, Permission.WEBHOOK_MANAGE, endpoint)


def _find_replay(view: View, endpoint: Endpoint, typed: Typed) -> Act:
    said = typed.of(REPLAY_ACT)
    since = endpoint.created_at if endpoint.last_delivered_at is None else endpoint.last_delivered_at
    local = since.astimezone(view.find_zone()).strftime("%Y-%m-%dT%H:%M")
    scopes = tuple((scope.value, view.name("replay_scope", scope)) for scope in ReplayScope)
    act = Act(
        *name_act(view, REPLAY_ACT),
        action=f"/admin/webhooks/{endpoint.code}/replay",
        explain=view.t(f"act.explain_{REPLAY_ACT}"),
        fields=mark_fields(
            (
                Field("since", view.t("webhooks.since"), "datetime-local", said.values.get("since", local)),
                Field("scope", view.t("webhooks.scope"), "select", said.values.get("scope", "missing"), scopes),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )
    return _guard(view, act, Permission.WEBHOOK_REPLAY, endpoint, needs_on=True)


def _find_move(view: View, endpoint: Endpoint, to: EndpointState, typed: Typed, missed: int = 0) -> Act:
    name = MOVES[to]
    said = typed.of(name)
    explain = view.t(f"act.explain_{name}")
    if to is EndpointState.ENABLED and missed:
        explain = f"{explain} {view.t('webhooks.missed', count=missed)}"
    reason = Field("reason", view.t("field.reason"), "text", said.values.get("reason", ""), limit=1000)
    act = Act(
        *name_act(view, name),
        action=f"/admin/webhooks/{endpoint.code}/state",
        to=to,
        row_version=endpoint.row_version,
        explain=explain,
        fields=() if to is EndpointState.ENABLED else mark_fields((reason,), said.wrong),
        open=bool(said.act),
    )
    return _guard(view, act, Permission.WEBHOOK_MANAGE, endpoint)


def _find_fields(view: View, said: Typed, now: dict[str, str]) -> tuple[Field, ...]:
    t, values = view.t, now | dict(said.values)
    types = tuple((kind, view.name("event_type", kind)) for kind in EVENT_TYPES)

    def make(name: str, kind: str, options: tuple[tuple[str, str], ...] = (), *, required: bool = False) -> Field:
        why, wrong = t(f"webhooks.{name}_why"), said.wrong.get(name, "")
        return Field(name, t(f"webhooks.{name}"), kind, values.get(name, ""), options, required, why, wrong)

    return (
        make("name", "text", required=True),
        make("url", "text", required=True),
        make("customer", "text"),
        make("delay_s", "number", required=True),
        make("event_types", "checks", types),
    )


def _guard(view: View, act: Act, needed: Permission, endpoint: Endpoint, *, needs_on: bool = False) -> Act:
    refusal = ""
    if not view.may(needed):
        refusal = view.say_missing(needed)
    elif endpoint.state is EndpointState.RETIRED:
        refusal = view.name("webhook_guard", WebhookGuard.RETIRED)
    elif needs_on and endpoint.state is not EndpointState.ENABLED:
        refusal = view.name("webhook_guard", WebhookGuard.NOT_ENABLED)
    return Act(act.name, act.label, refusal=refusal) if refusal else act


def _say_failure(view: View, error: str, status: int | None) -> str:
    if not error:
        return ""
    said = view.name("delivery_error", error)
    return view.t("code.beside", name=said, code=status) if status is not None else said
