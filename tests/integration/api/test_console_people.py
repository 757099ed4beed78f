"""People on pages: by their full names with the account beside, as they are called now, and only for whom sees them."""

import re
from html import unescape

import pytest

from domain.roles import Role
from store.pool import open_connection
from store.users import load_full_names, load_names_version
from tests.integration.api.test_console_complaints import ENTERED
from tests.support.console_pages import Console
from tests.support.http_api import Api, Session

PEOPLE = {
    "mona": Role.SERVICE_MANAGER,
    "maria": Role.SERVICE_MANAGER,
    "olga": Role.AUDITOR,
    "root": Role.ADMIN,
}


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def rename(api: Api, name: str, full_name: str) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        conn.execute("UPDATE app_user SET full_name = %s WHERE name = %s", (full_name, name))


def read(api: Api, who: Session, path: str) -> str:
    answer = api.client.get(path, headers=who.reading)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_people_are_called_by_their_names_of_now(api: Api, console: Console) -> None:
    rename(api, "mona", "Mona <Vogt>")
    place = console.send("mona", "/complaints", "/complaints/new", {**ENTERED, "serial": ""}).partition("?")[0]
    answer = api.client.get(place, headers=console.sessions["maria"].reading)
    assert '<strong><span title="mona" translate="no">Mona &lt;Vogt&gt;</span></strong>' in answer.text
    # However the name came to be another one, no page shows the one before.
    rename(api, "mona", "莫娜")
    page = read(api, console.sessions["maria"], place)
    assert ">莫娜</span>" in page
    assert "Vogt" not in page


def test_the_audit_tells_the_account_with_the_name(api: Api, console: Console) -> None:
    rename(api, "mona", "Mona Vogt")
    console.send("mona", "/complaints", "/complaints/new", {**ENTERED, "serial": ""})
    page = read(api, console.sessions["olga"], "/audit?actor=mona")
    assert re.search(r'<span title="mona" translate="no">Mona Vogt</span><div[^>]*>mona</div>', page)


def test_whoever_does_not_see_our_people_sees_no_names(api: Api, console: Console) -> None:
    rename(api, "mona", "Mona Vogt")
    api.add_user("carl", Role.CUSTOMER, customer="T-C0")
    carl = api.sign_in("carl")
    for page in ("/devices/T-0000/life", "/work-orders", "/devices/T-0000"):
        assert "Mona" not in read(api, carl, page)


def test_the_version_of_names_is_another_one_after_every_change(api: Api) -> None:
    def look() -> str:
        with open_connection(api.settings.database_url, application="test") as conn:
            return load_names_version(conn)

    seen = [look()]
    api.add_user("nora", Role.AUDITOR)
    seen.append(look())
    api.add_user("nils", Role.AUDITOR)
    seen.append(look())
    rename(api, "nora", "Nils")
    rename(api, "nils", "Nora")  # two names changed places
    seen.append(look())
    assert len(set(seen)) == len(seen)
    with open_connection(api.settings.database_url, application="test") as conn:
        assert load_full_names(conn) == (seen[-1], {"nora": "Nils", "nils": "Nora"})
