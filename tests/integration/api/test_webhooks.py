"""Webhooks through the API: who may do what, secrets that are shown once, and what nobody is told."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.roles import Role
from service_link.settings import ServiceLinkSettings
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, find_errors, running_api
from tests.support.webhook_receiver import NETWORKS, Answer, Receiver, open_receiver
from tests.support.webhooks import Hooks, open_hooks

Headers = dict[str, str]


@pytest.fixture
def hooks(database: Database, tmp_path: Path) -> Iterator[Hooks]:
    with open_hooks(database.url, tmp_path) as found:
        yield found


@pytest.fixture
def api(database: Database, hooks: Hooks) -> Iterator[Api]:
    register(database.url, PROFILE, make_devices(4, customers=2))
    settings: ServiceLinkSettings = hooks.settings
    with running_api(database.url, webhook_key_file=settings.webhook_key_file, webhook_networks=NETWORKS) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as found:
        yield found
        assert found.wrong == []


@pytest.fixture
def admin(api: Api) -> Headers:
    return api.token(Role.ADMIN)


def make(api: Api, headers: Headers, url: str = "https://erp.example/h?key=geheim", **more: Any) -> dict[str, Any]:
    answer = api.post("/webhooks", headers=headers, json={"name": "ERP", "url": url, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_webhook_is_made_and_its_secret_is_shown_once(api: Api, admin: Headers) -> None:
    headers = admin | {"Idempotency-Key": "make-the-erp-hook"}
    made = make(api, headers, event_types=["capa.closed", "breach.opened"], customer="T-C0", delay_s=30)
    assert made["secret"].startswith("whsec_")
    assert make(api, headers, event_types=["capa.closed", "breach.opened"], customer="T-C0", delay_s=30)["secret"] == ""
    code = made["webhook"]["code"]
    assert made["webhook"] | {"code": ""} == made["webhook"] | {
        "code": "",
        "event_types": ["breach.opened", "capa.closed"],
        "customer": "T-C0",
        "state": "ENABLED",
        "waiting": 0,
    }
    listed = api.get("/webhooks", headers=admin)
    assert [w["code"] for w in listed.json()["items"]] == [code]
    one = api.get(f"/webhooks/{code}", headers=admin)
    audit = api.get("/audit?entity=webhook", headers=api.token(Role.AUDITOR))
    for answer in (listed, one, audit):
        assert made["secret"] not in answer.text
    assert "geheim" in one.text
    # Who only reads does not see what may be a secret of the receiver; neither does the audit.
    assert "geheim" not in audit.text
    for role in (Role.AUDITOR, Role.INTEGRATOR):
        shown = api.get(f"/webhooks/{code}", headers=api.token(role))
        assert shown.json()["url"] == "https://erp.example/h?…"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "http://erp.example/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://u:p@erp.example/"}, "url"),
        ({"url": "https://erp.example/" + "x" * 2000}, "url"),
        ({"event_types": ["breach.opened", "breach.lost"]}, "event_types"),
        ({"customer": "NOBODY"}, "customer"),
        ({"delay_s": 4000}, "delay_s"),
        ({"name": "  "}, "name"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_cannot_be_used_is_named(api: Api, admin: Headers, wrong: dict[str, Any], field: str) -> None:
    body = {"name": "ERP", "url": "https://erp.example/", **wrong}
    answer = api.post("/webhooks", headers=admin, json=body)
    assert answer.status_code == 422
    assert list(find_errors(answer)) == [field]


def test_changes_states_and_secrets_need_the_newest_version(api: Api, admin: Headers) -> None:
    code = make(api, admin)["webhook"]["code"]
    body = {"name": "SAP", "url": "https://sap.example/", "reason": "moved"}
    assert api.request("PUT", f"/webhooks/{code}", headers=admin, json=body).status_code == 428
    changed = api.request("PUT", f"/webhooks/{code}", headers=admin | {"If-Match": '"1"'}, json=body)
    assert (changed.json()["name"], changed.headers["etag"]) == ("SAP", '"2"')
    for path, sent in (("transitions", {"to": "DISABLED", "reason": "x"}), ("secret", {})):
        old = api.post(f"/webhooks/{code}/{path}", headers=admin | {"If-Match": '"1"'}, json=sent)
        assert old.status_code == 412
        assert old.json()["current"]["row_version"] == 2
    rotated = api.post(f"/webhooks/{code}/secret", headers=admin | {"If-Match": '"2"'}, json={"overlap_h": 1})
    assert rotated.status_code == 201
    until = datetime.fromisoformat(rotated.json()["webhook"]["previous_secret_until"])
    assert timedelta(0) < until - datetime.now(UTC) <= timedelta(hours=1)
    steps: list[tuple[dict[str, str], int, str]] = [
        ({"to": "ENABLED"}, 409, "webhook_same_state"),
        ({"to": "DISABLED"}, 409, "webhook_reason_missing"),
        ({"to": "DISABLED", "reason": "moves"}, 200, ""),
        ({"to": "ENABLED"}, 200, ""),
        ({"to": "RETIRED", "reason": "replaced"}, 200, ""),
        ({"to": "ENABLED"}, 409, "webhook_retired"),
    ]
    for sent, status, guard in steps:
        version = api.get(f"/webhooks/{code}", headers=admin).headers["etag"]
        answer = api.post(f"/webhooks/{code}/transitions", headers=admin | {"If-Match": version}, json=sent)
        assert (answer.status_code, answer.json().get("guard", "")) == (status, guard), answer.text
    for path, since in (("test", None), ("replays", {"since": "2026-01-01T00:00:00Z"})):
        refused = api.post(f"/webhooks/{code}/{path}", headers=admin, json=since)
        assert (refused.status_code, refused.json()["guard"]) == (409, "webhook_retired")
    events = api.get("/audit?entity=webhook&limit=50", headers=api.token(Role.AUDITOR)).json()["items"]
    assert [e["action"] for e in reversed(events)] == [
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.disabled",
        "webhook.enabled",
        "webhook.retired",
    ]


def test_from_a_test_event_to_a_replay(api: Api, admin: Headers, hooks: Hooks, receiver: Receiver) -> None:
    made = make(api, admin, receiver.url("/erp"))
    receiver.secrets["/erp"] = made["secret"]
    code = made["webhook"]["code"]
    sent = api.post(f"/webhooks/{code}/test", headers=admin)
    assert sent.status_code == 201
    receiver.decide = lambda request, before: Answer(500, body=b"no disk")
    hooks.tell("b-1", serial="T-0000")
    hooks.deliver(at := hooks.find_now())
    first, second = api.get(f"/deliveries?webhook={code}&total=true", headers=admin).json()["items"]
    assert (first["type"], first["subject"], first["state"], first["last_status"]) == (
        "breach.opened",
        "T-0000",
        "WAITING",
        500,
    )
    assert (second["type"], second["id"]) == ("webhook.test", sent.json()["id"])
    detail = api.get(f"/deliveries/{first['id']}", headers=api.token(Role.INTEGRATOR)).json()
    assert detail["event"]["data"]["n"] == "b-1"
    assert [(a["status"], a["error"], a["response"]) for a in detail["log"]] == [(500, "status", "no disk")]
    # An administrator sees what came of it, and not what it is about.
    assert api.get(f"/deliveries/{first['id']}", headers=admin).json()["event"] is None
    waiting = api.post(f"/deliveries/{first['id']}/replays", headers=admin)
    assert (waiting.status_code, waiting.json()["guard"]) == (409, "delivery_waits_already")
    receiver.decide = lambda request, before: Answer()
    hooks.deliver(at + timedelta(seconds=10))
    integrator = api.token(Role.INTEGRATOR)
    again = api.post(f"/deliveries/{first['id']}/replays", headers=integrator)
    assert (again.status_code, again.json()["state"], again.json()["replays"]) == (202, "WAITING", 1)
    hooks.deliver(hooks.find_now())
    assert receiver.find_ids().count(first["event_id"]) == 3
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for scope, count in (("missing", 0), ("all", 1)):  # the test event is nobody's news
        begun = api.post(f"/webhooks/{code}/replays", headers=integrator, json={"since": since, "scope": scope})
        assert (begun.status_code, begun.json()) == (202, {"count": count})
    for query, count in (("state=DEAD", 0), ("type=breach.opened", 1), (f"event_id={first['event_id']}", 1)):
        assert len(api.get(f"/deliveries?{query}", headers=admin).json()["items"]) == count


def test_an_integrator_of_one_customer_sees_that_customers_webhooks_alone(
    api: Api, admin: Headers, hooks: Hooks
) -> None:
    mine = make(api, admin, customer="T-C0")["webhook"]["code"]
    other = make(api, admin, customer="T-C1")["webhook"]["code"]
    everybodys = make(api, admin)["webhook"]["code"]
    hooks.tell("b-1", serial="T-0000")
    hooks.tell("b-2", serial="T-0001")
    hooks.claim(hooks.find_now())
    headers = api.token(Role.INTEGRATOR, customer="T-C0")
    assert [w["code"] for w in api.get("/webhooks", headers=headers).json()["items"]] == [mine]
    for code in (other, everybodys):
        assert api.get(f"/webhooks/{code}", headers=headers).status_code == 404
        body = {"since": "2026-01-01T00:00:00Z"}
        assert api.post(f"/webhooks/{code}/replays", headers=headers, json=body).status_code == 404
    listed = api.get("/deliveries?total=true", headers=headers).json()
    assert [(d["webhook"], d["subject"]) for d in listed["items"]] == [(mine, "T-0000")]
    assert listed["total"] == 1
    theirs = [d["id"] for d in api.get("/deliveries", headers=admin).json()["items"] if d["webhook"] != mine]
    assert len(theirs) == 3
    for delivery in theirs:
        assert api.get(f"/deliveries/{delivery}", headers=headers).status_code == 404
        assert api.post(f"/deliveries/{delivery}/replays", headers=headers).status_code == 404
    # Who works for one customer gives nobody's events away.
    limited = api.token(Role.ADMIN, customer="T-C0")
    assert api.post("/webhooks", headers=limited, json={"name": "x", "url": "https://x.example"}).status_code == 403


def test_lists_go_on_where_a_page_ended(api: Api, admin: Headers) -> None:
    codes = [make(api, admin)["webhook"]["code"] for _ in range(3)]
    for _ in range(3):
        api.post(f"/webhooks/{codes[0]}/test", headers=admin)
    for path, count in (("/webhooks", 3), ("/deliveries", 3)):
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = api.get(f"{path}?limit=2" + (f"&cursor={cursor}" if cursor else ""), headers=admin).json()
            seen += [item.get("id", item.get("code")) for item in page["items"]]
            cursor = page["next_cursor"]
        assert len(seen) == len(set(seen)) == count
        assert seen == sorted(seen, reverse=True)


def test_what_waits_is_a_figure_of_health(api: Api, admin: Headers, hooks: Hooks) -> None:
    hooks.tell("before", serial="T-0000")
    hooks.claim(hooks.find_now())
    make(api, admin)
    hooks.tell("b-1", serial="T-0000")
    metrics = api.get("/metrics", headers=admin).text
    flow = api.get("/health").json()["flow"]
    assert flow["outbox_waiting"] == 1
    assert flow["outbox_oldest_age_s"] >= 0
    assert (flow["deliveries_dead"], flow["webhooks_gone"]) == (0, 0)
    assert "forewarn_deliveries_dead 0.0" in metrics
