"""The inbox: filters and groups in its address, decisions one by one, what is taken back, links, previews, limits."""

import re
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.support.http_api import Api, Session

JSON = {"Accept": "application/json"}
ORDER = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks."}


@pytest.fixture
def mona(api: Api) -> Session:
    """A service manager, beside a technician with a certificate and a dispatcher of one customer."""
    api.add_user("tom", Role.TECHNICIAN)
    api.add_user("theirs", Role.DISPATCHER, customer="T-C0")
    api.add_user("mona", Role.SERVICE_MANAGER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO technician_certificate SELECT u.id, m.id, '2099-01-01' FROM device_model m, app_user u"
            " WHERE m.key = 'TEST-100' AND u.name = 'tom'"
        )
    return api.sign_in("mona")


def report(api: Api, who: Session, **changed: str) -> str:
    made = api.post("/work-orders", headers=who.writing, json=ORDER | changed)
    assert made.status_code == 201, made.text
    return str(made.json()["code"])


def act(api: Api, who: Session, *picked: str, path: str = "/inbox/actions", **form: str) -> tuple[int, Any]:
    data = {"order": list(picked), **form}
    answer = api.client.post(path, headers=who.writing | JSON, data=data, follow_redirects=False)
    return answer.status_code, answer.json()


def undo(api: Api, who: Session, *tokens: str) -> tuple[int, Any]:
    answer = api.client.post("/inbox/undo", headers=who.writing | JSON, data={"undo": list(tokens)})
    return answer.status_code, answer.json()


def read(api: Api, who: Session, code: str) -> dict[str, Any]:
    order: dict[str, Any] = api.get(f"/work-orders/{code}", headers=who.reading).json()
    return order


def test_an_accepted_order_is_taken_back_by_a_step_of_its_own(api: Api, mona: Session) -> None:
    code = report(api, mona)
    status, answer = act(api, mona, f"{code}:1", action="accept")
    assert (status, answer["done"]) == (200, 1)
    (said,) = answer["results"]
    assert said["text"] == f"{code} accepted, assigned to Tom."
    assert read(api, mona, code)["state"] == "ASSIGNED"
    status, answer = undo(api, mona, said["undo"])
    assert (status, "nobody's" in answer["results"][0]["text"]) == (200, True)
    order = read(api, mona, code)
    assert (order["state"], order["assignee"]) == ("TRIAGED", None)
    assert order["timeline"][0]["text"] == "Taken back in the inbox"
    status, answer = undo(api, mona, said["undo"])
    assert (status, answer["done"]) == (409, 0)
    for nonsense in ("accept:WO-1:x", "cancel:WO-1:1", "", f"shelve:{code}:1"):
        assert undo(api, mona, nonsense)[0] == 409


def test_a_new_order_is_accepted_though_more_of_the_same_joined_it_meanwhile(api: Api, mona: Session) -> None:
    code, other = report(api, mona), report(api, mona, serial="T-0001")
    for serial in ("T-0000", "T-0001"):
        joined = api.post("/work-orders", headers=mona.writing, json=ORDER | {"serial": serial})
        assert (joined.status_code, joined.json()["row_version"]) == (200, 2)
    status, answer = act(api, mona, f"{code}:1", action="accept")
    assert (status, answer["done"], read(api, mona, code)["state"]) == (200, 1, "ASSIGNED")
    # Whoever ends it judges what there is, and looks at that first.
    status, answer = act(api, mona, f"{other}:1", action="false_alarm")
    assert (status, answer["results"][0]["is_conflict"], read(api, mona, other)["state"]) == (412, True, "NEW")
    # One that somebody else accepted meanwhile is not accepted again.
    api.add_user("nora", Role.SERVICE_MANAGER)
    act(api, api.sign_in("nora"), f"{other}:2", action="accept")
    status, answer = act(api, mona, f"{other}:2", action="accept")
    assert (status, answer["results"][0]["is_conflict"], "Nora" in answer["results"][0]["text"]) == (412, True, True)


def test_what_was_taken_back_is_told_as_that_in_the_language_of_who_reads(api: Api, mona: Session) -> None:
    code = report(api, mona)
    (said,) = act(api, mona, f"{code}:1", action="accept")[1]["results"]
    undo(api, mona, said["undo"])
    for language, told, reason in (
        ("en", "gave the order back", "Taken back in the inbox"),
        ("zh", "退回派工", "在待处理列表中撤回"),
    ):
        headers = mona.reading | {"Accept-Language": language}
        page = api.client.get(f"/work-orders/{code}", headers=headers).text
        assert (page.count(told), page.count(reason), page.count("Taken back")) == (1, 1, int(language == "en"))


def test_a_shelving_is_ended_and_a_false_alarm_has_no_way_back(api: Api, mona: Session) -> None:
    code, other = report(api, mona), report(api, mona, serial="T-0001")
    silent = act(api, mona, f"{code}:1", action="shelve", shelve_reason=" ")
    assert (silent[0], silent[1]["text"]) == (422, "A reason is needed.")
    (said,) = act(api, mona, f"{code}:1", action="shelve", shelve_reason="rebuilt", shelve_hours="4")[1]["results"]
    assert read(api, mona, code)["state"] == "CANCELLED"
    api.add_user("nora", Role.SERVICE_MANAGER)
    assert undo(api, api.sign_in("nora"), said["undo"])[0] == 409
    status, answer = undo(api, mona, said["undo"])
    assert (status, "no longer shelved" in answer["results"][0]["text"]) == (200, True)
    shelvings = api.get("/devices/T-0000/shelvings", headers=mona.reading)
    assert shelvings.json()["items"] == []
    assert undo(api, mona, said["undo"])[0] == 409
    (cancelled,) = act(api, mona, f"{other}:1", action="false_alarm")[1]["results"]
    assert (cancelled["is_done"], cancelled["undo"]) == (True, "")


def test_each_order_is_decided_for_itself_and_a_conflict_names_who(api: Api, mona: Session) -> None:
    first, second = report(api, mona), report(api, mona, serial="T-0001")
    api.add_user("nora", Role.SERVICE_MANAGER)
    nora = api.sign_in("nora")
    act(api, nora, f"{first}:1", action="accept")
    status, answer = act(api, mona, f"{first}:1", f"{second}:1", "WO-1999-000001:1", action="false_alarm")
    assert (status, answer["done"]) == (409, 1)
    refused, done, missing = answer["results"]
    assert (refused["is_done"], refused["is_conflict"], "Nora" in refused["text"]) == (False, True, True)
    assert "while you looked" in refused["text"]
    assert (done["code"], done["is_done"], missing["is_done"]) == (second, True, False)
    alone = {"action": "shelve", "shelve_reason": "ward is rebuilt", "order": f"{first}:1"}
    page = api.client.post("/inbox/actions?sort=priority", headers=mona.writing, data=alone)
    assert page.status_code == 412
    third = report(api, mona, serial="T-0002")
    kept = api.client.post("/inbox/actions?sort=priority", headers=mona.writing, data=alone)
    assert 'value="ward is rebuilt"' in kept.text
    assert third in kept.text


def test_without_a_script_the_filters_stay_in_the_address(api: Api, mona: Session) -> None:
    code = report(api, mona)
    form = {"action": "accept", "order": f"{code}:1"}
    address = "/inbox/actions?sort=priority&group=device&nonsense=1"
    answer = api.client.post(address, headers=mona.writing, data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox?sort=priority&group=device&done=inbox&n=1")


def test_an_order_is_linked_to_one_of_the_same_device(api: Api, mona: Session) -> None:
    code, existing = report(api, mona), report(api, mona, fault_group="line")
    stranger = report(api, mona, serial="T-0001")
    choices = api.client.get(f"/inbox/related/{code}", headers=mona.reading).text
    assert (existing in choices, stranger in choices) == (True, False)
    nowhere = act(api, mona, f"{code}:1", action="link", link_reason="the same leak")
    assert (nowhere[0], nowhere[1]["text"]) == (422, "Say to which work order it is linked.")
    far = act(api, mona, f"{code}:1", action="link", link_code=stranger, link_reason="the same leak")
    assert (far[0], "neither of one device" in far[1]["results"][0]["text"]) == (409, True)
    stale = act(api, mona, f"{code}:9", action="link", link=existing, link_reason="the same leak")
    assert (stale[0], stale[1]["results"][0]["is_conflict"]) == (412, True)
    status, answer = act(api, mona, f"{code}:1", action="link", link=existing, link_reason="the same leak")
    assert (status, answer["results"][0]["text"]) == (200, f"{code} went up in {existing}.")
    assert read(api, mona, existing)["merged"] == [code]


def test_all_that_match_are_decided_and_no_others(api: Api, mona: Session) -> None:
    tank = [report(api, mona, serial=f"T-000{n}") for n in range(3)]
    pump = report(api, mona, fault_group="line")
    path = "/inbox/actions?fault=tank"
    status, answer = act(api, mona, path=path, action="false_alarm", everything="1")
    assert (status, sorted(one["code"] for one in answer["results"])) == (200, tank)
    assert read(api, mona, pump)["state"] == "NEW"
    nothing = act(api, mona, path=path, action="false_alarm", everything="1")
    assert (nothing[0], nothing[1]["text"]) == (422, "Nothing was selected.")


def test_the_answer_says_what_is_left_as_the_page_would(api: Api, mona: Session) -> None:
    tank, line = report(api, mona), report(api, mona, fault_group="line")
    report(api, mona, serial="T-0001")
    (said,) = (answer := act(api, mona, f"{tank}:1", path="/inbox/actions?fault=tank", action="accept")[1])["results"]
    assert (answer["left"]["count"], answer["left"]["empty"]) == ("1 to decide", [])
    assert "1 to decide" in api.client.get("/inbox?fault=tank", headers=mona.reading).text
    answer = act(api, mona, f"{line}:1", path="/inbox/actions?fault=line", action="false_alarm")[1]
    assert (answer["left"]["count"], answer["left"]["empty"]) == ("0 to decide", ["Nothing matches these filters."])
    # To take it back leads to the list of orders, not to the inbox.
    assert undo(api, mona, said["undo"])[1]["left"]["count"] == "1 to decide"
    answer = act(api, mona, action="accept", everything="1")[1]
    assert answer["left"]["count"] == "0 to decide"
    assert answer["left"]["empty"][0] == "Nothing to decide."
    assert answer["left"]["empty"][1] in api.client.get("/inbox", headers=mona.reading).text
    # What somebody else reported meanwhile is there as well.
    report(api, mona, serial="T-0002")
    assert undo(api, mona, answer["results"][0]["undo"])[1]["left"]["count"] == "1 to decide"


def test_what_was_decided_is_said_where_what_is_left_cannot_be(api: Api, mona: Session) -> None:
    code = report(api, mona)
    status, answer = act(api, mona, f"{code}:1", path="/inbox/actions?firmware=%00", action="accept")
    assert (status, answer["done"], answer["left"]) == (200, 1, None)
    assert read(api, mona, code)["state"] == "ASSIGNED"


def test_groups_filters_and_previews(api: Api, mona: Session) -> None:
    code, other = report(api, mona), report(api, mona, fault_group="line")
    stranger = report(api, mona, serial="T-0001")
    page = api.client.get("/inbox?group=device", headers=mona.reading).text
    assert page.count('class="group"') == 2
    assert "T-0000 · 2 on this page" in page
    blind = api.client.get("/inbox?data=gap", headers=mona.reading).text
    assert code in blind  # no device of the tests ever reported
    assert code not in api.client.get("/inbox?owner=tom", headers=mona.reading).text
    preview = api.client.get(f"/inbox/preview/{code}", headers=mona.reading)
    assert preview.status_code == 200
    assert "<html" not in preview.text
    for shown in (other, "T-0000", "Tom (suggested)"):
        assert shown in preview.text, shown
    assert stranger not in preview.text
    assert api.client.get("/inbox/preview/WO-1999-000001", headers=mona.reading).status_code == 404


def test_three_proposals_stand_above_the_orders_and_the_rest_in_their_list(api: Api, mona: Session) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group, trigger,"
            " statistics, created_at, updated_at) SELECT 'CAPA-2026-900' || n, 'CORRECTIVE',"
            " CASE n WHEN 6 THEN 'REJECTED' ELSE 'PROPOSED' END, m.id, 'LOT', 'L' || n, 'tank', 'COHORT', '{}', now(),"
            " now() FROM generate_series(1, 6) AS n, device_model m WHERE m.key = 'TEST-100'"
        )
    page = api.client.get("/inbox", headers=mona.reading).text
    assert re.findall(r'data-row="(CAPA-[^"]+)"', page) == [f"CAPA-2026-900{n}" for n in (5, 4, 3)]
    assert "5 CAPAs proposed" in page
    assert '<a href="/capa?state=PROPOSED">2 more</a>' in page
    chinese = api.client.get("/inbox", headers=mona.reading | {"Accept-Language": "zh"}).text
    assert "另有 2 项" in chinese
    listed = api.client.get("/capa?state=PROPOSED", headers=mona.reading).text
    assert re.findall(r'data-row="(CAPA-[^"]+)"', listed) == [f"CAPA-2026-900{n}" for n in (5, 4, 3, 2, 1)]
    everything = api.client.get("/capa?state=NONSENSE", headers=mona.reading).text
    assert everything.count("data-row=") == 6
    none = api.client.get("/capa?state=CLOSED", headers=mona.reading).text
    assert "No CAPA is in this state." in none
    api.add_user("tina", Role.TECHNICIAN)
    assert "CAPA-2026" not in api.client.get("/inbox", headers=api.sign_in("tina").reading).text


def test_an_order_is_flagged_as_in_a_capa_for_those_alone_who_read_capas(api: Api, mona: Session) -> None:
    code = report(api, mona)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "WITH made AS (INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group,"
            " trigger, statistics, created_at, updated_at) SELECT 'CAPA-2026-9001', 'CORRECTIVE', 'INVESTIGATION',"
            " m.id, 'LOT', 'L1', 'tank', 'COHORT', '{}', now(), now() FROM device_model m WHERE m.key = 'TEST-100'"
            " RETURNING id) INSERT INTO capa_member (capa_id, work_order_id, added_at) SELECT made.id, w.id, now()"
            " FROM made, work_order w WHERE w.code = %s",
            (code,),
        )
    api.add_user("clara", Role.CUSTOMER, customer="T-C0")
    clara = api.sign_in("clara")
    for page in ("/inbox", f"/work-orders/{code}"):
        assert "in a CAPA" in api.client.get(page, headers=mona.reading).text
        shown = api.client.get(page, headers=clara.reading)
        assert (shown.status_code, code in shown.text, "in a CAPA" in shown.text) == (200, True, False)


def test_an_order_in_another_one_comes_back_when_that_is_closed(api: Api, mona: Session) -> None:
    parent, child = report(api, mona), report(api, mona, serial="T-0001")

    def move(query: str) -> list[str]:
        with psycopg.connect(api.settings.database_url) as conn:
            conn.execute(query.encode(), {"parent": parent, "child": child})
        page = api.client.get("/inbox", headers=mona.reading).text
        assert "1 to decide" in page
        return re.findall(r'<tr[^>]* data-row="([^"]+)"', page)

    set_parent = "UPDATE work_order SET parent_id = (SELECT id FROM work_order WHERE code = %(parent)s)"
    assert move(f"{set_parent} WHERE code = %(child)s") == [parent]
    assert move("UPDATE work_order SET state = 'CANCELLED' WHERE code = %(parent)s") == [child]


def test_who_decides_nothing_in_the_inbox_has_nothing_to_tick_and_begins_elsewhere(api: Api, mona: Session) -> None:
    code = report(api, mona)
    api.add_user("quentin", Role.QUALITY_ENGINEER)
    api.add_user("clara", Role.CUSTOMER, customer="T-C0")
    people = {"mona": (True, "/inbox"), "quentin": (False, "/inbox"), "clara": (False, "/work-orders")}
    for name, (may_tick, home) in people.items():
        headers = api.sign_in(name).reading
        page = api.client.get("/inbox", headers=headers).text
        assert f'data-row="{code}"' in page
        assert ('name="order"' in page, 'id="select-all"' in page) == (may_tick, may_tick), name
        assert api.client.get("/", headers=headers, follow_redirects=False).headers["location"] == home


def test_choices_of_a_moment_ago_never_hide_an_order(api: Api, mona: Session) -> None:
    report(api, mona)
    choice = 'value="T-C1"'
    assert choice not in api.client.get("/inbox", headers=mona.reading).text
    code = report(api, mona, serial="T-0001")
    # It stands in the inbox at once, and is found by its customer before that is offered to whoever looked just now.
    assert f'data-row="{code}"' in api.client.get("/inbox", headers=mona.reading).text
    page = api.client.get("/inbox?customer=T-C1", headers=mona.reading).text
    assert re.findall(r'<tr[^>]* data-row="([^"]+)"', page) == [code]
    assert f"{choice} selected" in page
    own = api.client.get("/inbox", headers=api.sign_in("theirs").reading).text
    assert 'value="T-C0"' in own
    assert choice not in own
    other = api.client.get("/inbox?customer=T-C1", headers=api.sign_in("theirs").reading).text
    assert code not in other


def test_who_works_for_one_customer_decides_on_its_orders_alone(api: Api, mona: Session) -> None:
    own, anothers = report(api, mona), report(api, mona, serial="T-0001")
    theirs = api.sign_in("theirs")
    for path in (f"/inbox/preview/{anothers}", f"/inbox/related/{anothers}"):
        assert api.client.get(path, headers=theirs.reading).status_code == 404
    status, answer = act(api, theirs, f"{own}:1", f"{anothers}:1", action="accept", assignee="tom")
    assert (status, [one["is_done"] for one in answer["results"]]) == (409, [True, False])
    assert read(api, mona, anothers)["state"] == "NEW"
    (said,) = act(api, mona, f"{anothers}:1", action="accept", assignee="tom")[1]["results"]
    assert undo(api, theirs, said["undo"])[0] == 409
    assert read(api, mona, anothers)["state"] == "ASSIGNED"


def test_who_may_only_look_decides_nothing(api: Api, mona: Session) -> None:
    code = report(api, mona)
    api.add_user("aya", Role.AUDITOR)
    aya = api.sign_in("aya")
    for action in ("accept", "false_alarm"):
        status, answer = act(api, aya, f"{code}:1", action=action)
        assert (status, answer["results"][0]["is_done"]) == (409, False), action
    assert read(api, mona, code)["state"] == "NEW"
