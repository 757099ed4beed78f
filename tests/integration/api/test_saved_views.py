"""Views of lists kept with the account: named, limited, one the default, each its owner's alone, no right to more."""

import re
from html import unescape

import pytest

from domain.roles import Role
from domain.saved_view import MOST_VIEWS, ViewPage, clean_name, clean_query
from tests.support.http_api import Api, Session

VIEWS = "/account/views"


@pytest.fixture
def mona(api: Api) -> Session:
    api.add_user("mona", Role.SERVICE_MANAGER)
    return api.sign_in("mona")


def make(api: Api, who: Session, name: str, **more: object) -> dict[str, object]:
    answer = api.post(VIEWS, headers=who.writing, json={"page": "inbox", "name": name, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


def test_a_view_is_made_named_changed_and_deleted_by_its_owner_alone(api: Api, mona: Session) -> None:
    api.add_user("nils", Role.SERVICE_MANAGER)
    nils = api.sign_in("nils")
    made = make(api, mona, "  Night   shift ", query="?sort=seen&priority=P1&cursor=x&secret=1&priority=P2")
    assert (made["name"], made["query"]) == ("Night shift", "priority=P1&sort=seen")
    assert made["address"] == "/inbox?priority=P1&sort=seen"
    place = f"{VIEWS}/{made['id']}"
    assert [one["name"] for one in api.get(VIEWS, headers=mona.reading).json()["items"]] == ["Night shift"]
    assert api.get(VIEWS, headers=nils.reading).json()["items"] == []
    for method, body in (("PATCH", {"name": "Mine"}), ("DELETE", None)):
        headers = nils.writing | {"If-Match": '"1"'}
        assert api.request(method, place, headers=headers, json=body).status_code == 404
    named = {"name": "Nights", "is_default": True}
    changed = api.request("PATCH", place, headers=mona.writing | {"If-Match": '"1"'}, json=named)
    assert (changed.status_code, changed.json()["name"], changed.headers["etag"]) == (200, "Nights", '"2"')
    late = api.request("PATCH", place, headers=mona.writing | {"If-Match": '"1"'}, json=named)
    assert (late.status_code, late.json()["current"]["row_version"]) == (412, 2)
    # One default view of a list: the newer one takes its place.
    make(api, mona, "Calm", is_default=True)
    defaults = {one["name"]: one["is_default"] for one in api.get(VIEWS, headers=mona.reading).json()["items"]}
    assert defaults == {"Calm": True, "Nights": False}
    taken = api.request("PATCH", place, headers=mona.writing | {"If-Match": '"3"'}, json={"name": "Calm"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")
    assert api.request("DELETE", place, headers=mona.writing).status_code == 204
    assert api.request("DELETE", place, headers=mona.writing).status_code == 404


def test_names_are_taken_once_views_are_limited_and_tokens_have_none(api: Api, mona: Session) -> None:
    for number in range(MOST_VIEWS):
        make(api, mona, f"View {number}")
    body = {"page": "inbox", "name": "One more"}
    full = api.post(VIEWS, headers=mona.writing, json=body)
    assert (full.status_code, full.json()["guard"]) == (409, "too_many_views")
    # Of another list there are none yet; sent twice with one key it is kept once.
    key = mona.writing | {"Idempotency-Key": "once-and-for-all"}
    other = {"page": "work-orders", "name": "View 1", "query": "state=ON_HOLD"}
    assert [api.post(VIEWS, headers=key, json=other).status_code for _ in range(2)] == [201, 201]
    again = api.post(VIEWS, headers=mona.writing, json=other)
    assert (again.status_code, again.json()["errors"]) == (409, [{"field": "name", "detail": "is taken"}])
    for name in (" ", "x" * 41, "a\u202eb"):
        assert api.post(VIEWS, headers=mona.writing, json=body | {"name": name}).status_code == 422
    assert api.get(VIEWS, headers=api.token(Role.SERVICE_MANAGER)).status_code == 422


def test_the_list_opens_with_the_default_view_and_everything_is_still_to_be_had(api: Api, mona: Session) -> None:
    def go(address: str, status: int = 303) -> str:
        answer = api.client.get(address, headers=mona.reading, follow_redirects=False)
        assert answer.status_code == status, address
        return answer.headers.get("location", "") or unescape(answer.text)

    def send(address: str, status: int = 303, **form: str) -> str:
        data = {"csrf_token": mona.csrf_token, **form}
        answer = api.client.post(address, headers=mona.reading, data=data, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return answer.headers.get("location", "") or unescape(answer.text)

    assert 'href="/inbox?view=all"' not in go("/inbox?priority=P1", 200)
    saved = send("/account/views", page="inbox", name="Worst / first", query="priority=P1&view=all")
    assert saved == "/inbox?priority=P1&done=view"
    page = go("/inbox?priority=P1", 200)
    assert '<a href="/inbox/views/Worst%20%2F%20first" aria-current="page">Worst / first</a>' in page
    assert go("/inbox/views/Worst%20%2F%20first") == "/inbox?priority=P1"
    go("/inbox/views/Another", 404)
    go("/inbox", 200)
    (place,) = re.findall(r'action="(/account/views/\d+)"', go("/account/views", 200))
    send(place, act="default", row_version="1")
    assert go("/inbox") == "/inbox?priority=P1"
    assert 'href="/inbox?view=all"' in go("/inbox?priority=P1", 200)
    go("/inbox?view=all", 200)
    assert "has changed in another window" in send(place, 412, act="rename", row_version="1", name="Late")
    send(place, act="rename", row_version="2", name="首先")
    assert go("/inbox/views/%E9%A6%96%E5%85%88") == "/inbox?priority=P1"
    # What could not be saved comes back with what was typed.
    refused = send("/account/views", 409, page="inbox", name="首先", query="priority=P2")
    assert 'value="首先"' in refused
    assert 'value="priority=P2"' in refused
    assert "at most 40 signs" in send("/account/views", 422, page="inbox", name=" ")
    send(place, act="delete")
    go("/inbox", 200)


def test_a_view_widens_nothing(api: Api) -> None:
    """A customer's view that names another customer shows what the customer's list shows: its own."""
    api.add_user("cora", Role.CUSTOMER, customer="T-C0")
    api.add_user("dirk", Role.DISPATCHER)
    cora, dirk = api.sign_in("cora"), api.sign_in("dirk")
    for serial in ("T-0000", "T-0001"):
        order = {"serial": serial, "fault_group": "tank", "description": "It leaks.", "priority": "P2"}
        assert api.post("/work-orders", headers=dirk.writing, json=order).status_code == 201
    made = make(api, cora, "All of them", query="customer=T-C1&owner=tom", is_default=True)
    answer = api.client.get(str(made["address"]), headers=cora.reading, follow_redirects=False)
    assert answer.status_code == 200
    assert ("T-0000" in answer.text, "T-0001" in answer.text) == (True, False)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("?group=device&priority=P1", "priority=P1&group=device"),
        ("priority=&model=T+100&view=all&done=x", "model=T+100"),
        ("priority=P1%00&fault=" + "x" * 201, ""),
        ("//evil.example/?priority=P2", ""),
    ],
)
def test_a_query_keeps_what_its_list_knows(query: str, kept: str) -> None:
    assert clean_query(ViewPage.INBOX, query) == kept
    assert clean_query(ViewPage.INBOX, kept) == kept


def test_a_name_is_words_that_can_be_seen() -> None:
    assert [clean_name(text) for text in ("  a  b ", "", "\u200b", "夜班", "x" * 41)] == ["a b", "", "", "夜班", ""]
