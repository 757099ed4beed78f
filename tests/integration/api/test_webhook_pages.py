"""Pages of webhooks: by role, what they refuse, what they show once, and from a dead letter to its replay."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from domain.roles import Role
from domain.webhook_schedule import DELAYS
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, Session, running_api
from tests.support.marked_fields import find_marks
from tests.support.webhook_receiver import NETWORKS, Answer, Receiver, open_receiver
from tests.support.webhooks import Hooks, open_hooks

Form = dict[str, str | list[str]]


@pytest.fixture
def hooks(database: Database, tmp_path: Path) -> Iterator[Hooks]:
    with open_hooks(database.url, tmp_path) as found:
        yield found


@pytest.fixture
def api(database: Database, hooks: Hooks) -> Iterator[Api]:
    register(database.url, PROFILE, make_devices(2, customers=2))
    key_file = hooks.settings.webhook_key_file
    with running_api(database.url, webhook_key_file=key_file, webhook_networks=NETWORKS) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with open_receiver() as found:
        yield found
        assert found.wrong == []


@pytest.fixture
def admin(api: Api) -> Session:
    api.add_user("root", Role.ADMIN)
    return api.sign_in("root")


def get(api: Api, session: Session, path: str, status: int = 200) -> str:
    answer = api.client.get(path, headers=session.reading, follow_redirects=False)
    assert answer.status_code == status, f"{path}: {answer.status_code}"
    return html.unescape(answer.text)


def post(api: Api, session: Session, path: str, data: Form) -> httpx.Response:
    return api.client.post(path, headers=session.writing, data=data, follow_redirects=False)


def make(api: Api, session: Session, url: str = "https://erp.example/h?key=geheim", **more: str | list[str]) -> str:
    """The page with the secret."""
    form: Form = {"name": "ERP <b>", "url": url, "delay_s": "0", **more}
    made = post(api, session, "/admin/webhooks/new", form)
    assert made.status_code == 200, made.text
    assert made.headers["cache-control"] == "no-store"
    return html.unescape(made.text)


def find_secret(page: str) -> str:
    found = re.search(r'class="code secret">(whsec_[^<]+)<', page)
    assert found is not None
    return found[1]


def find_code(page: str) -> str:
    found = re.search(r"WH-\d{4}-\d{6}", page)
    assert found is not None
    return found[0]


def find_version(page: str, act: str) -> str:
    found = re.search(rf'id="act-{act}".*?name="row_version" value="(\d+)"', page, re.DOTALL)
    assert found is not None, act
    return found[1]


def test_an_endpoint_is_made_and_its_secret_is_shown_once(api: Api, admin: Session) -> None:
    assert "No other system is told of anything" in get(api, admin, "/admin/webhooks")
    page = make(api, admin, event_types=["breach.opened", "capa.closed"], customer="T-C0", delay_s="30")
    secret, code = find_secret(page), find_code(page)
    listed = api.client.get("/admin/webhooks", headers=admin.reading).text
    assert "ERP &lt;b&gt;" in listed
    shown = get(api, admin, f"/admin/webhooks/{code}")
    assert "Breach opened, CAPA closed" in shown
    assert "https://erp.example/h?key=geheim" in shown
    assert "30 s" in shown
    for text in (listed, shown):
        assert secret not in text
    form: Form = {"row_version": find_version(shown, "rotate_secret"), "overlap_h": "1"}
    rotated = post(api, admin, f"/admin/webhooks/{code}/secret", form)
    assert find_secret(html.unescape(rotated.text)) != secret
    assert "signs as well" in get(api, admin, f"/admin/webhooks/{code}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "http://erp.example/"}, {"url": "It must begin with https://."}),
        ({"url": "https://192.168.1.1/"}, {"url": "That network is not allowed; see FOREWARN_WEBHOOK_NETWORKS."}),
        ({"customer": "NOBODY"}, {"customer": "There is no customer of this code."}),
        ({"name": ""}, {"name": "Is missing."}),
        ({"name": "x" * 201}, {"name": "Has more characters than 200."}),
        ({"delay_s": "soon"}, {"delay_s": "Is not a whole number."}),
        ({"delay_s": ""}, {"delay_s": "Is missing."}),
        ({"delay_s": "-1"}, {"delay_s": "Must be at least 0."}),
        ({"event_types": ["breach.lost"]}, {"event_types": "Is none of the choices."}),
    ],
)
def test_what_cannot_be_used_is_said_at_its_field(api: Api, admin: Session, wrong: Form, said: dict[str, str]) -> None:
    form: Form = {"name": "ERP", "url": "https://erp.example/", "delay_s": "0", "customer": "T-C0", **wrong}
    refused = post(api, admin, "/admin/webhooks/new", form)
    assert refused.status_code == 422
    page = html.unescape(refused.text)
    assert find_marks(page) == said
    for name in ("name", "url", "customer"):  # what was typed is kept
        assert f'value="{form[name]}"' in page


def test_that_a_state_needs_its_reason_is_said_at_the_reason(api: Api, admin: Session) -> None:
    code = find_code(make(api, admin))
    version = find_version(get(api, admin, f"/admin/webhooks/{code}"), "disable_webhook")
    form: Form = {"to": "DISABLED", "row_version": version, "reason": " "}
    refused = post(api, admin, f"/admin/webhooks/{code}/state", form)
    assert (refused.status_code, find_marks(refused.text)) == (409, {"reason": "Say why."})


def test_states_and_changes(api: Api, admin: Session) -> None:
    place = f"/admin/webhooks/{find_code(make(api, admin))}"
    page = get(api, admin, place)
    version = find_version(page, "change_webhook")
    form: Form = {"name": "SAP", "url": "https://sap.example/", "delay_s": "5", "row_version": version}
    assert post(api, admin, f"{place}/change", form).status_code == 303
    old = post(api, admin, f"{place}/change", form | {"name": "Mine"})
    assert old.status_code == 412
    odd = post(api, admin, f"{place}/change", form | {"name": "", "delay_s": "9999999"})
    assert find_marks(odd.text) == {"name": "Is missing.", "delay_s": "Must be at most 3,600."}
    assert 'value="Mine"' in old.text
    for to, reason, status in (
        ("DISABLED", "", 409),
        ("DISABLED", "moves house", 303),
        ("ENABLED", "", 303),
        ("RETIRED", "replaced", 303),
        ("ENABLED", "", 409),
    ):
        current = find_row_version(api, place)
        sent = post(api, admin, f"{place}/state", {"to": to, "reason": reason, "row_version": current})
        assert sent.status_code == status, (to, sent.text)
    assert "It is retired; make another one." in get(api, admin, place)


def find_row_version(api: Api, place: str) -> str:
    with api.state.pool.connection() as conn:
        row = conn.execute("SELECT row_version FROM webhook_endpoint WHERE code = %s", (place[-14:],)).fetchone()
    assert row is not None
    return str(row[0])


def test_from_a_dead_letter_to_its_replay(api: Api, admin: Session, hooks: Hooks, receiver: Receiver) -> None:
    page = make(api, admin, receiver.url("/erp"))
    code = find_code(page)
    receiver.secrets["/erp"] = find_secret(page)
    receiver.decide = lambda request, before: Answer(500, body=b"<script>no disk</script>")
    hooks.tell("b-1", "breach.opened", "breach.cleared", serial="T-0000")
    at = hooks.find_now()
    for delay in DELAYS:
        hooks.deliver(at := at + delay)
    listed = get(api, admin, "/admin/webhooks")
    assert "1 event was given up" in listed
    place = f"/admin/webhooks/{code}"
    dead = get(api, admin, f"{place}?state=DEAD")
    found = re.search(r"delivery=(\d+)#delivery", dead)
    assert found is not None
    raw = api.client.get(f"{place}?delivery={found[1]}", headers=admin.reading).text
    assert "&lt;script&gt;no disk&lt;/script&gt;" in raw
    picked = html.unescape(raw)
    assert picked.count("refused by the receiver (500)") >= 10
    assert "Hidden by role" in picked  # an administrator reads no records
    receiver.decide = lambda request, before: Answer()
    sent = post(api, admin, f"{place}/deliveries/{found[1]}/replay", {})
    assert sent.status_code == 303
    again = post(api, admin, f"{place}/deliveries/{found[1]}/replay", {})
    assert again.status_code == 409
    assert "It waits already." in html.unescape(again.text)
    hooks.deliver(at + timedelta(seconds=10))
    assert "✓ taken (204)" in get(api, admin, f"{place}?delivery={found[1]}")
    assert receiver.requests[-1].event["type"] in ("breach.opened", "breach.cleared")
    assert post(api, admin, f"{place}/test", {}).status_code == 303
    since: Form = {"since": "2026-01-01T00:00", "scope": "all"}
    assert post(api, admin, f"{place}/replay", since).status_code == 303
    out_of_time = "Lies before 1970, or in 3000 or later."
    times = {"": "Is missing.", "yesterday": "Is not a time.", "0001-01-01T00:00": out_of_time}
    for unusable, said in (times | {"9999-12-31T23:59": out_of_time}).items():
        for zone in ("Asia/Shanghai", "America/New_York"):
            there = admin.writing | {"Cookie": f"{admin.reading['Cookie']}; forewarn_zone={zone}"}
            data = {"since": unusable, "scope": "all"}
            answer = api.client.post(f"{place}/replay", headers=there, data=data, follow_redirects=False)
            assert answer.status_code == 422, (unusable, zone)
            assert find_marks(answer.text) == {"since": said}, (unusable, zone)


def test_who_only_reads_is_told_why_nothing_can_be_done(api: Api, admin: Session, hooks: Hooks) -> None:
    code = find_code(make(api, admin))
    hooks.tell("b-1", serial="T-0000", severity="MAJOR", reporter_phone="0815")
    hooks.claim(hooks.find_now())
    api.add_user("audrey", Role.AUDITOR)
    auditor = api.sign_in("audrey")
    page = get(api, auditor, f"/admin/webhooks/{code}")
    assert "geheim" not in page
    assert "webhook.manage" in page
    found = re.search(r"delivery=(\d+)#delivery", page)
    assert found is not None
    event = get(api, auditor, f"/admin/webhooks/{code}?delivery={found[1]}")
    assert '"severity": "MAJOR"' in event
    assert '"reporter_phone": "[masked]"' in event
    for path in ("new", f"{code}/change", f"{code}/state", f"{code}/secret", f"{code}/test", f"{code}/replay"):
        assert post(api, auditor, f"/admin/webhooks/{path}", {}).status_code == 403
    for role in (Role.TECHNICIAN, Role.DISPATCHER, Role.SERVICE_MANAGER, Role.QUALITY_ENGINEER, Role.ENGINEER):
        api.add_user(f"a-{role}".replace("_", "-"), role)
        session = api.sign_in(f"a-{role}".replace("_", "-"))
        get(api, session, "/admin/webhooks", 403)
    get(api, admin, "/admin/webhooks/WH-2026-999999", 404)
    get(api, admin, f"/admin/webhooks/{code}?delivery=99999", 404)


def test_in_chinese(api: Api, admin: Session) -> None:
    code = find_code(make(api, admin))
    headers = admin.reading | {"Accept-Language": "zh"}
    for path, said in (("", "哪些系统会收到这里的通知"), (f"/{code}", "发送测试事件")):
        page = html.unescape(api.client.get(f"/admin/webhooks{path}", headers=headers).text)
        assert said in page


def test_hundreds_of_thousands_are_not_counted_at_every_look(api: Api, admin: Session, hooks: Hooks) -> None:
    code = find_code(make(api, admin))
    hooks.conn.execute(
        "INSERT INTO outbox (type, subject, entity, entity_id, body, is_simulated, planned_at)"
        " SELECT 'breach.opened', 'S', 'breach', i::text, '{}', false, now() FROM generate_series(1, 1001) i"
    )
    hooks.conn.execute(
        "INSERT INTO webhook_delivery (endpoint_id, outbox_id, entity, entity_id, not_before, due_at, created_at)"
        " SELECT w.id, o.id, o.entity, o.entity_id, now(), now(), now() - o.id * interval '1 second'"
        " FROM webhook_endpoint w, outbox o WHERE w.code = %s AND o.type = 'breach.opened'",
        (code,),
    )
    page = get(api, admin, "/admin/webhooks")
    assert ">1,000+<" in page
    assert "16 min ago" in page  # 1,001 seconds: the oldest counts, however many there are
    hooks.conn.execute("UPDATE webhook_delivery SET state = 'DEAD', finished_at = now()")
    page = get(api, admin, "/admin/webhooks")
    assert re.search("! More than 1,?000 events were given up", page)
    hooks.conn.execute("UPDATE webhook_delivery SET state = 'CANCELLED' WHERE entity_id = '1'")
    page = get(api, admin, "/admin/webhooks")
    assert re.search("! 1,?000 events were given up", page)
