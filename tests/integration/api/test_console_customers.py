"""The pages of customers: who needs a call first, and what we owe one of them; by role, and whose."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from domain.roles import Role
from tests.e2e.fleet_seeding import make_owed
from tests.integration.api.test_overviews import NOW, make_trouble
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

SERIALS = tuple(f"T-000{number}" for number in range(6))


@pytest.fixture(scope="module")
def made(postgres_server: DatabaseServer) -> Iterator[Api]:
    """T-C0 with much trouble, T-C1 with little; a recall, a plan and calibration that is overdue."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            make_trouble(api)
            with psycopg.connect(database.owner_url) as conn:
                make_owed(conn, SERIALS, NOW)
                conn.execute("UPDATE customer SET region = CASE code WHEN 'T-C0' THEN 'EU' ELSE 'US' END")
            for role in Role:
                customer = "T-C0" if role is Role.CUSTOMER else None
                api.add_user(f"u-{role}", role, customer=customer)
            yield api


def show(api: Api, path: str, role: Role, *, language: str = "en", status: int = 200) -> str:
    """What stands on the page for that role, tags taken out."""
    headers = api.sign_in(f"u-{role}").reading
    headers["Cookie"] += f"; forewarn_language={language}"
    answer = api.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    words = re.sub(r'<span class="nowrap">([^<]*)</span>', r"\1", answer.text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<script.*?</script>", "", words)))


def find_rows(api: Api, query: str, role: Role = Role.SERVICE_MANAGER) -> list[str]:
    """The codes of the list."""
    answer = api.client.get(f"/customers{query}", headers=api.sign_in(f"u-{role}").reading)
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-row="([^"]+)"', answer.text)


def test_all_customers_are_counted_once_in_a_minute_and_anew_where_that_is_asked(made: Api) -> None:
    rename = "UPDATE customer SET name = %s WHERE code = 'T-C0'"
    with psycopg.connect(made.settings.database_url, autocommit=True) as conn:
        (name,) = conn.execute("SELECT name FROM customer WHERE code = 'T-C0'").fetchone() or ("",)
        assert name in show(made, "/customers?anew=1", Role.SERVICE_MANAGER)
        conn.execute(rename, ("Saint Elsewhere",))
        try:
            kept = show(made, "/customers", Role.SERVICE_MANAGER)
            assert name in kept
            assert "Counted at" in kept
            assert find_rows(made, "?q=elsewhere") == []
            assert "Saint Elsewhere" in show(made, "/customers?anew=1", Role.CUSTOMER)  # with limits of its own
            assert name in show(made, "/customers", Role.SERVICE_MANAGER)
            assert find_rows(made, "?q=elsewhere&anew=1") == ["T-C0"]
            assert find_rows(made, "?q=elsewhere") == ["T-C0"]
        finally:
            conn.execute(rename, (name,))
            show(made, "/customers?anew=1", Role.SERVICE_MANAGER)


def test_nobody_is_shown_what_was_counted_for_somebody_who_sees_other_customers_or_more(made: Api) -> None:
    """Within the minute of one answer, by an account whose customer and roles change."""
    made.add_user("mover", Role.TECHNICIAN)
    mover = made.sign_in("mover").reading
    change = (
        "UPDATE app_user SET customer_id = (SELECT id FROM customer WHERE code = %s), roles = %s WHERE name = 'mover'"
    )

    def look(customer: str | None, role: Role) -> tuple[list[str], bool, bool]:
        """Which customers, whether of the other's name a word is there, and whether something is hidden."""
        with psycopg.connect(made.settings.database_url) as conn:
            conn.execute(change, (customer, [role.value]))
        page = made.client.get("/customers", headers=mover).text
        names = {"T-C0": "Hospital 0", "T-C1": "Hospital 1"}
        others = [name for code, name in names.items() if customer not in (None, code)]
        return re.findall(r'data-row="([^"]+)"', page), any(name in page for name in others), "give no points" in page

    assert look(None, Role.SERVICE_MANAGER) == (["T-C0", "T-C1"], False, False)
    for customer in ("T-C0", "T-C1", "T-C0"):
        for role in (Role.CUSTOMER, Role.SERVICE_MANAGER):
            assert look(customer, role) == ([customer], False, role is Role.CUSTOMER), (customer, role)
    assert look(None, Role.TECHNICIAN) == (["T-C0", "T-C1"], False, True)
    assert look(None, Role.SERVICE_MANAGER) == (["T-C0", "T-C1"], False, False)


def test_who_needs_a_call_stands_first_with_reasons_and_a_number_to_call(made: Api) -> None:
    assert find_rows(made, "") == ["T-C0", "T-C1"]
    page = show(made, "/customers", Role.SERVICE_MANAGER)
    ranked = made.client.get("/api/v1/customers/attention", headers=made.token(Role.SERVICE_MANAGER)).json()
    score = ranked["items"][0]["risk"]["score"]
    assert str(score) in page
    assert "Devices with a critical breach: 1, first T-0000 ." in page
    assert "Zelda Zq-Lindqvist 1" in page
    assert "Looked at: 2 customers with 6 devices." in page
    chinese = show(made, "/customers", Role.SERVICE_MANAGER, language="zh")
    assert "存在严重异常的设备：1 台，首台 T-0000 。" in chinese


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("?region=US", ["T-C1"]),
        ("?q=t-c0", ["T-C0"]),
        ("?type=LAB", []),
        ("?type=NONE", ["T-C0", "T-C1"]),  # an old address shows the whole list
        ("?records=simulated", []),
        ("?cursor=nonsense", ["T-C0", "T-C1"]),
    ],
)
def test_filters_stand_in_the_address(made: Api, query: str, codes: list[str]) -> None:
    assert find_rows(made, query) == codes


def test_an_empty_list_says_how_many_were_looked_at(made: Api) -> None:
    page = show(made, "/customers?q=nobody", Role.SERVICE_MANAGER)
    assert "No customer matches these filters." in page
    assert "Looked at: 0 customers with 0 devices." in page
    # Where real customers are none that match, the simulated ones may be what is looked for.
    assert "Look at simulated records" in page
    assert "Look at simulated" not in show(made, "/customers?q=nobody&records=simulated", Role.SERVICE_MANAGER)


def test_what_we_owe_a_customer_is_on_one_page(made: Api) -> None:
    page = show(made, "/customers/T-C0", Role.SERVICE_MANAGER)
    for said in (
        "K-0 in force",
        "Response 100.0% 1 of 1 clock met",
        "Resolution 0.0% 0 of 1 clock met",
        "WO-1",
        "Service was asked for T-0000: tank.",
        "Recall: customers being notified",
        "CMP-1",
        "CAPA-1",
        "Yearly safety check",
        "6 days over",
        "2020-01-01",
        "Zelda Zq-Lindqvist 1",
    ):
        assert said in page, said
    assert "hidden by role" not in page


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        (Role.SERVICE_MANAGER, 0),
        (Role.DISPATCHER, 1),  # CAPAs
        (Role.TECHNICIAN, 2),  # CAPAs and complaints
        (Role.AUDITOR, 1),  # contacts
    ],
)
def test_what_a_role_does_not_show_says_so(made: Api, role: Role, hidden: int) -> None:
    page = show(made, "/customers/T-C0", role)
    assert page.count("? hidden by role") == hidden
    assert ("Zelda" in page) == (role is not Role.AUDITOR)


def test_a_customer_sees_its_own_page_alone_and_nobodys_name(made: Api) -> None:
    assert find_rows(made, "", Role.CUSTOMER) == ["T-C0"]
    for path in ("/customers", "/customers/T-C0"):
        page = show(made, path, Role.CUSTOMER).lower()
        assert "zq-" not in page
        assert "hidden by role" in page
    show(made, "/customers/T-C1", Role.CUSTOMER, status=404)
    show(made, "/customers/nobody", Role.SERVICE_MANAGER, status=404)
    show(made, "/customers", Role.ADMIN, status=403)
