"""Versions of profiles on their pages: who, when, why; what differs; an earlier one proposed again."""

from dataclasses import replace

import pytest

from domain.audit import Actor
from domain.profile import Profile
from domain.roles import Permission, Role
from store.pool import open_connection
from store.profiles import load_profile, record_profile
from tests.support.console_pages import Console
from tests.support.fleet import PROFILE
from tests.support.http_api import Api

PAGE = f"/admin/profiles/{PROFILE.model}"
ANNA = Actor("anna", "engineer", Permission.PROFILE_WRITE.value)
SLOWER = replace(PROFILE.tickets, quiet_h=PROFILE.tickets.quiet_h + 1)


@pytest.fixture
def console(api: Api) -> Console:
    """A model with two versions: the second one waits longer before an order is ready to verify."""
    with open_connection(api.settings.database_url, application="test") as conn:
        later = replace(PROFILE, version=PROFILE.version + 1, tickets=SLOWER)
        record_profile(conn, later, "anna", actor=ANNA, reason="quiet pumps spoke again")
    return Console(api, {"erik": Role.ENGINEER, "root": Role.ADMIN, "tom": Role.TECHNICIAN})


def load_current(api: Api) -> Profile:
    with open_connection(api.settings.database_url, application="test") as conn:
        current = load_profile(conn, PROFILE.model)
    assert current is not None
    return current


def test_history_differences_and_a_return_that_is_only_a_draft(api: Api, console: Console) -> None:
    assert PROFILE.model in console.read("root", "/admin/profiles")
    page = console.read("root", PAGE)
    assert "quiet pumps spoke again" in page
    assert "anna" not in page  # an administrator sees no names of people on records
    assert "anna" in console.read("erik", PAGE)
    assert "tickets.quiet_h" in page
    assert "needs the permission “change profiles, monitors and models” (profile.write)" in page
    assert "重新提出" in console.read("erik", PAGE, language="zh")
    current, first = PROFILE.version + 1, PROFILE.version
    assert "It says what the current version says." in console.read("erik", f"{PAGE}?before={current}&after={current}")
    assert "Both say the same." in console.read("erik", f"{PAGE}?before={first}&after={first}")

    form = f"{PAGE}/proposals"
    assert "Is missing." in console.send("erik", PAGE, form, {"version": str(first)}, 422)
    wish = {"version": str(first), "reason": "it was better"}
    again = console.send("erik", PAGE, form, wish | {"version": str(current)}, 422)
    assert "It says what the current version says." in again
    console.send("erik", PAGE, form, wish | {"version": "99"}, 404)
    place = console.send("erik", PAGE, form, wish)
    assert place.startswith("/models/MOD-")
    assert load_current(api).tickets == SLOWER  # the guards of a model are still to be passed
    code = place.removeprefix("/models/").partition("?")[0]
    assert code in console.read("root", PAGE)
    draft = api.get(f"/models/{code}", headers=console.sessions["erik"].reading).json()
    assert (draft["state"], draft["provenance"]) == ("DRAFT", {"returns_to": first, "reason": "it was better"})
    assert draft["description"]["base_version"] == current
    assert draft["description"]["profile"]["tickets"]["quiet_h"] == PROFILE.tickets.quiet_h


def test_the_same_by_rest_and_not_for_everybody(api: Api, console: Console) -> None:
    erik, model, first = console.sessions["erik"], PROFILE.model, PROFILE.version
    items = api.get(f"/device-models/{model}/versions", headers=erik.reading).json()["items"]
    assert [one["version"] for one in items] == [first + 1, first]
    assert (items[0]["is_current"], items[0]["applied_by"]) == (True, "anna")
    assert items[0]["reason"] == "quiet pumps spoke again"
    found = api.get(f"/device-models/{model}/differences?before={first}", headers=erik.reading).json()
    quiet = PROFILE.tickets.quiet_h
    assert found["items"] == [{"path": "tickets.quiet_h", "before": quiet, "after": quiet + 1}]
    assert api.get(f"/device-models/{model}/differences?before=99", headers=erik.reading).status_code == 404
    path, key = f"/device-models/{model}/versions/{first}/proposals", {"Idempotency-Key": "return-to-first"}
    made = [api.post(path, headers=erik.writing | key, json={"reason": "better"}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["code"] == made[1].json()["code"]
    # An account of one customer sees neither why, which may name others, nor how many devices those have.
    theirs = api.get(f"/device-models/{model}/versions", headers=api.token(Role.DISPATCHER, customer="T-C0")).json()
    assert [one["reason"] for one in theirs["items"]] == ["", ""]
    dora = Console(api, {"dora": Role.DISPATCHER}, customer="T-C0")
    page = dora.read("dora", PAGE)
    assert "quiet pumps spoke again" not in page
    assert "<dt>Devices</dt><dd>3</dd>" in page
    assert "<dt>Devices</dt><dd>6</dd>" in console.read("erik", PAGE)
    current = f"/device-models/{model}/versions/{first + 1}/proposals"
    assert api.post(current, headers=erik.writing, json={"reason": "better"}).status_code == 422
    assert api.post(path, headers=console.sessions["root"].writing, json={"reason": "x"}).status_code == 403
    assert "configuration.read" in console.read("tom", PAGE, 403)
    assert api.get("/device-models/none/versions", headers=erik.reading).status_code == 404
