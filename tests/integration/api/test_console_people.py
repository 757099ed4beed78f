"""People on pages: by their full names with the account beside, as they are called now, and only for whom sees them."""

import re
from html import unescape

import pytest

from domain.roles import Role
from store.pool import open_connection
from store.users import load_full_names, load_names_version
from tests.integration.api.test_console_complaints import ENTERED
from tests.integration.api.test_console_sla import CALENDAR, POLICY
from tests.support.console_pages import Console
from tests.support.databases import Database
from tests.support.http_api import Api, Session, running_api

PEOPLE = {
    "mona": Role.SERVICE_MANAGER,
    "maria": Role.SERVICE_MANAGER,
    "olga": Role.AUDITOR,
    "root": Role.ADMIN,
}
ORDER = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, customer_id, fault_group, title_code,
        title_params, created_by, created_at)
    SELECT 'WO-BY-MONA', 'CORRECTIVE', 'MANUAL', 'P3', 'NEW', d.id, s.customer_id, 'tank', 'manual', '{}', 'mona', now()
    FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = 'T-0000'
"""


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
    with open_connection(api.settings.database_url, application="test") as conn:
        conn.execute(ORDER)
    api.add_user("carl", Role.CUSTOMER, customer="T-C0")
    carl = api.sign_in("carl")
    assert "Opened by Mona Vogt." in read(api, console.sessions["maria"], "/work-orders/WO-BY-MONA")
    page = read(api, carl, "/work-orders/WO-BY-MONA")
    assert "Opened by hidden by role." in page
    assert not re.search("mona(?!-)", page.replace("WO-BY-MONA", ""), re.IGNORECASE)


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


@pytest.mark.usefixtures("registered")
def test_a_page_asks_for_names_with_the_one_connection_that_it_has(database: Database) -> None:
    """Names that were asked for while a page holds a connection would wait for ever where none is left."""
    with running_api(database.url, pool_size=1) as api:
        console = Console(api, PEOPLE)
        place = console.send("mona", "/complaints", "/complaints/new", {**ENTERED, "serial": ""}).partition("?")[0]
        for who, page in (("mona", place), ("olga", "/audit"), ("mona", "/monitors"), ("mona", "/approvals")):
            console.read(who, page)
        assert '<span title="mona" translate="no">Mona</span>' in console.read("mona", place)
        for kept, content in (("/admin/calendars", CALENDAR), ("/admin/sla", POLICY)):
            made = console.send("mona", kept, f"{kept}/new", content | {"step": "save"})
            for page in (kept, made):
                assert ">Mona</span>" in console.read("mona", page)
