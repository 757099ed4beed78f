"""What is due at a device and what happened to it, on the console: as a part and as a page, by role, and whose."""

import re
from collections.abc import Iterator
from html import unescape

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.roles import Role
from tests.e2e.fleet_seeding import make_owed
from tests.integration.api.test_overviews import NOW, make_trouble
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

SERIALS = tuple(f"T-000{number}" for number in range(6))
ASKED = """
    INSERT INTO approval_request (code, kind, entity, entity_id, payload, subject, content_sha256, reason, state,
        asked_by_id, asked_by, asked_at, expires_at)
    SELECT 'AR-1', 'key_field_change', 'device', 'T-0000', %(payload)s, %(subject)s, repeat('0', 64),
        'Wrong on the label.', 'ASKED', id, name, %(at)s, %(at)s + interval '14 days'
    FROM app_user WHERE name = 'zq-tom'
"""


@pytest.fixture(scope="module")
def made(postgres_server: DatabaseServer) -> Iterator[Api]:
    """T-0000 with everything: orders, breaches, a recall, a plan, a complaint, a move, a change of UDI asked for."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            make_trouble(api)
            with psycopg.connect(database.owner_url) as conn:
                make_owed(conn, SERIALS, NOW)
                asked = {"payload": Jsonb({"udi": "(01)9(21)T-0000"}), "subject": Jsonb({"udi": "(01)8(21)T-0000"})}
                conn.execute(ASKED, {**asked, "at": NOW})
            for role in Role:
                api.add_user(f"u-{role}", role, customer="T-C0" if role is Role.CUSTOMER else None)
            yield api


def fetch(api: Api, path: str, role: Role, *, status: int = 200, part: bool = False) -> str:
    headers = {**api.sign_in(f"u-{role}").reading, **({"HX-Request": "true"} if part else {})}
    answer = api.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


def read(text: str) -> str:
    words = re.sub(r'<span class="nowrap">([^<]*)</span>', r"\1", text)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<script.*?</script>", "", words))))


def test_everything_of_a_device_is_there(made: Api) -> None:
    page = read(fetch(made, "/devices/T-0000/life", Role.SERVICE_MANAGER))
    for said in (
        "! critical",
        "Reaches its limit",
        "30 – open h from when it was said",
        "Yearly safety check",
        "6 days over",
        "Recall: customers being notified",
        "notified, no answer",
        "CMP-1",
        "CAPA-1",
        "Life-cycle In service",
        "Connection Never connected",
        "K-0 in force",
        "Site S-MERCY-ER → S-RUIJIN-ICU",
        "Customer C-MERCY → C-RUIJIN",
        "Life-cycle Installed → In service",
        "Connection Never connected → Online",
        "Status Offline",
        "E0815 minor",
        "WO-2",
    ):
        assert said in page, said


def test_a_script_gets_the_part_and_a_browser_without_one_a_page(made: Api) -> None:
    part = fetch(made, "/devices/T-0000/life", Role.SERVICE_MANAGER, part=True)
    page = fetch(made, "/devices/T-0000/life", Role.SERVICE_MANAGER)
    assert "<html" not in part
    assert "<html" in page
    assert read(part).strip() in read(page)


def test_a_change_that_waits_for_a_second_person_is_told_to_who_has_part_in_it(made: Api) -> None:
    path = "/devices/T-0000/life"
    for role in (Role.DATA_STEWARD, Role.AUDITOR):
        page = read(fetch(made, path, role))
        assert "AR-1" in page
        assert "UDI: (01)8(21)T-0000 → (01)9(21)T-0000" in page
        assert "Wrong on the label." in page
    page = read(fetch(made, path, Role.TECHNICIAN))
    assert "AR-1" not in page
    assert page.count("? hidden by role") == 3  # complaints, CAPAs, and this


def test_the_page_of_the_device_says_why_it_needs_attention_and_leads_there(made: Api) -> None:
    page = fetch(made, "/devices/T-0000", Role.SERVICE_MANAGER)
    score = made.client.get("/api/v1/devices/T-0000/overview", headers=made.token(Role.SERVICE_MANAGER)).json()["risk"]
    assert f"Why it needs attention {score['score']} points" in read(page)
    assert "Has a critical breach." in page
    assert 'hx-get="/devices/T-0000/life"' in page
    assert "Open major or critical complaints" not in read(fetch(made, "/devices/T-0000", Role.TECHNICIAN))


def test_a_customer_sees_nothing_of_who_had_it_before_and_nobodys_name(made: Api) -> None:
    page = read(fetch(made, "/devices/T-0000/life", Role.CUSTOMER))
    assert "C-MERCY" not in page
    assert "S-MERCY-ER" not in page
    assert "zq-" not in page.lower()
    assert "mara" not in page
    fetch(made, "/devices/T-0001/life", Role.CUSTOMER, status=404)
    fetch(made, "/devices/nothing/life", Role.SERVICE_MANAGER, status=404)
