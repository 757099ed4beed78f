"""Retention on its page and by REST: what counts, shown before it is asked, asked by one, granted by another."""

import re
from datetime import UTC, datetime

import pytest

from domain.roles import Role
from service_link.housekeeping import apply_retention
from service_link.settings import ServiceLinkSettings
from store.pool import open_connection
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api

PAGE, FORM = "/admin/retention", "/admin/retention/requests"
WISH = {"kept": "readings_standard", "days": "200", "reason": "the disk is small"}


@pytest.fixture
def console(api: Api) -> Console:
    people = {"root": Role.ADMIN, "vera": Role.QUALITY_APPROVER, "olga": Role.AUDITOR, "tom": Role.TECHNICIAN}
    return Console(api, people)


def keep_house(api: Api) -> None:
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        apply_retention(conn, datetime.now(UTC), ServiceLinkSettings(""), lambda: True)


def test_another_length_is_shown_asked_and_granted(api: Api, console: Console) -> None:
    assert "service-link has not applied anything yet." in console.read("root", PAGE)
    assert "service-link has not said yet" in console.send("root", PAGE, FORM, WISH, 200)
    keep_house(api)
    page = console.read("root", PAGE)
    assert "400 days" in page
    assert "as service-link is set" in page
    wrong = console.send("root", PAGE, FORM, {"kept": "readings_standard", "days": "20", "reason": ""}, 422)
    assert "not below the fewest of this class" in wrong
    assert "Is missing." in wrong
    assert 'name="password"' not in wrong
    assert "Short is not kept longer" in console.send("root", PAGE, FORM, WISH | {"kept": "readings_short"} | {
        "days": "500"}, 200)  # fmt: skip

    shown = console.send("root", PAGE, FORM, WISH, 200)
    assert "Readings, standard: 400 days → 200 days." in shown
    assert 'name="password"' in shown
    ask = WISH | {"to": "ask", "meaning": "I ask for this"}
    assert "That is not your password." in console.send("root", PAGE, FORM, ask | {"password": "no"}, 422)
    request = console.send("root", PAGE, FORM, ask | {"password": PASSWORD}).partition("?")[0]
    assert re.fullmatch(r"/approvals/AR-\d{4}-\d{6}", request)
    assert f"{request.removeprefix('/approvals/')} waits for a second person" in console.read("olga", PAGE)
    assert "延长或缩短数据保留期限" in console.read("vera", request, language="zh")
    again = console.send("root", PAGE, FORM, ask | {"password": PASSWORD}, 409)
    assert "asked for already" in again
    granted = {"to": "GRANTED", "password": PASSWORD, "meaning": "Reviewed and granted"}
    console.send("vera", request, f"{request}/decision", granted)
    page = console.read("olga", PAGE)
    assert "200 days" in page
    assert "decided by two people:" in page
    assert "needs the permission “ask for a change of retention” (retention.write)" in page
    assert "200 天" in console.read("olga", PAGE, language="zh")
    found = api.get("/retention", headers=console.sessions["olga"].reading).json()
    (line,) = [item for item in found["items"] if item["kept"] == "readings_standard"]
    assert (line["days"], line["decided_days"], line["applied_days"], line["setting_days"]) == (200, 200, 400, 400)
    assert found["readings_size"] >= 0
    assert line["reason"] == "the disk is small"
    theirs = api.get("/retention", headers=api.token(Role.DISPATCHER, customer="T-C0")).json()
    assert {item["reason"] for item in theirs["items"]} == {""}


def test_who_may_and_what_is_refused(api: Api, console: Console) -> None:
    assert "configuration.read" in console.read("tom", PAGE, 403)
    assert api.get("/retention", headers=console.sessions["tom"].reading).status_code == 403
    keep_house(api)
    root = console.sessions["root"].writing
    ask = {"kind": "retention_change", "entity_id": "records", "payload": {"days": 365}, "reason": "x"}
    signed = {"password": PASSWORD, "meaning": "I ask"}
    refused = api.post("/approval-requests", headers=root, json=ask | signed)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["payload.days"]
    same = api.post("/approval-requests", headers=root, json=ask | signed | {"payload": {"days": 3650}})
    assert (same.status_code, same.json()["guard"]) == (409, "unchanged")
    vera = console.sessions["vera"].writing
    assert api.post("/approval-requests", headers=vera, json=ask | signed | {"payload": {"days": 0}}).status_code == 403
    asked = api.post("/approval-requests", headers=root, json=ask | signed | {"payload": {"days": 0}})
    assert asked.status_code == 201
    step = {"to": "GRANTED", **signed}
    path = f"/approval-requests/{asked.json()['code']}/transitions"
    own = api.post(path, headers=root | {"If-Match": '"1"'}, json=step)
    assert (own.status_code, own.json()["guard"]) == (409, "second_person")
    api.add_user("rita", Role.ADMIN)
    granted = api.post(path, headers=api.sign_in("rita").writing | {"If-Match": '"1"'}, json=step)
    assert granted.json()["outcome"] == {"days": 0}
