"""The pages of key figures: the numbers of the API, each with its definition, filters in the address, a file."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import psycopg
import pytest

from domain.kpi_catalogue import KPIS
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from tests.integration.api.test_kpis import BEGAN
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, Session, running_api

SPRING = "from=2024-03-01&to=2024-03-31"
RESTORED = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, customer_id, fault_group, title_code,
        title_params, outcome, responded_at, resolved_at, closed_at, created_by, created_at)
    SELECT 'WO-' || d.serial, 'CORRECTIVE', 'AUTOMATIC', 'P3', 'CLOSED', d.id, s.customer_id, 'tank', 'limit_high',
        '{}', 'CONFIRMED', %(began)s, %(began)s + %(hours)s * interval '1 hour',
        %(began)s + %(hours)s * interval '1 hour', 'test', %(began)s
    FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = %(serial)s
"""


@pytest.fixture(scope="module")
def made(postgres_server: DatabaseServer) -> Iterator[Api]:
    """Failures restored after 10 h at T-C0 and after 30 h at T-C1, in March 2024."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            with psycopg.connect(database.owner_url) as conn:
                for serial, hours in (("T-0000", 10), ("T-0001", 30)):
                    conn.execute(RESTORED, {"began": BEGAN, "hours": hours, "serial": serial})
            for role in Role:
                api.add_user(f"u-{role}", role, customer="T-C0" if role is Role.CUSTOMER else None)
            yield api


def fetch(api: Api, path: str, session: Session, *, language: str = "en", status: int = 200) -> str:
    headers = session.reading
    headers["Cookie"] += f"; forewarn_language={language}"
    answer = api.client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


def show(api: Api, path: str, role: Role = Role.SERVICE_MANAGER, *, language: str = "en", status: int = 200) -> str:
    """What stands on the page, tags taken out."""
    text = fetch(api, path, api.sign_in(f"u-{role}"), language=language, status=status)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<script.*?</script>", "", text))))


def find_row(page: str, begin: str, end: str) -> str:
    """What stands between the first `begin` and the next `end`."""
    return page[page.index(begin) :].partition(end)[0]


def test_every_figure_stands_with_its_definition_and_what_it_rests_on(made: Api) -> None:
    page = show(made, f"/kpis?{SPRING}")
    for kpi in KPIS:
        assert kpi.name.en in page
        assert kpi.definition.en.replace("`", "") in page.replace("`", "")
    restore = find_row(page, "Time to restore (MTTR) ", "Time between failures (MTBF) ")
    assert "20.0 h median 20.0 h, nine of ten within 28.0 h 40 hours from beginning" in restore
    assert "/ 2 failures restored in the period" in restore
    assert "From 2024-03-01 to 2024-04-01 UTC." in page
    chinese = show(made, f"/kpis?{SPRING}", language="zh")
    assert "20.0 小时" in chinese


def test_what_has_no_value_says_why(made: Api) -> None:
    page = show(made, f"/kpis?{SPRING}")
    assert "– nothing of the kind in this period" in find_row(page, "Recall response ", "Recall response time ")
    assert "– hidden by role" in find_row(show(made, "/kpis", Role.DISPATCHER), "Age of open CAPAs ", "CAPA effect")


def test_months_are_drawn_for_every_figure(made: Api) -> None:
    session = made.sign_in("u-service_manager")
    page = fetch(made, f"/kpis?{SPRING}", session)
    (address,) = re.findall(r'hx-get="([^"]+)"', page)
    trends = fetch(made, unescape(address), session)
    found = re.findall(r'<span id="trend-(\w+)" hx-swap-oob="true">', trends)
    assert found == [kpi.key for kpi in KPIS]
    assert all(f'<span id="trend-{key}">' in page for key in found)
    assert "By month: 20.0 h in 2024-03, 20.0 h in 2024-03" in trends


def test_one_figure_by_group_the_worst_first_and_by_month(made: Api) -> None:
    page = show(made, f"/kpis/time_to_restore?{SPRING}&group_by=customer")
    assert page.index("(T-C1) 30.0 h") < page.index("(T-C0) 10.0 h")
    assert "2024-03 20.0 h" in page
    assert "2024-02 – nothing of the kind in this period" in page
    one = show(made, f"/kpis/time_to_restore?{SPRING}&customer=T-C0")
    assert "TEST-100 10.0 h" in one
    show(made, "/kpis/nothing", status=404)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2999-01-01", "It must begin before it ends"),
        ("from=2024-05-01&to=2024-04-01", "It must begin before it ends"),
        ("from=yesterday", "This is not a day."),
        ("from=2001-01-01", "At most ten years"),
        ("customer=NOBODY", "There is no such customer"),
    ],
)
def test_what_cannot_be_asked_is_said_at_the_field(made: Api, query: str, said: str) -> None:
    assert said in show(made, f"/kpis?{query}", status=422)
    assert said in show(made, f"/kpis/mtbf?{query}", status=422)


def test_the_file_is_of_what_is_shown(made: Api) -> None:
    session = made.sign_in("u-service_manager")
    page = fetch(made, f"/kpis/time_to_restore?{SPRING}&group_by=customer&customer=T-C1", session)
    (address,) = re.findall(r'href="(/api/v1/kpis[^"]+)"', page)
    answer = made.client.get(unescape(address), headers=session.reading)
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("time_to_restore,,2024-03-01T00:00:00Z,2024-04-01T00:00:00Z,T-C1,,,,false,30.0,h,")


def test_who_may_and_whose_records_are_counted(made: Api) -> None:
    for role in Role:
        status = 200 if Permission.KPI_READ in ROLE_PERMISSIONS[role] else 403
        show(made, "/kpis/mtbf", role, status=status)
    made.add_user("own-manager", Role.SERVICE_MANAGER, customer="T-C0")
    page = fetch(made, f"/kpis/time_to_restore?{SPRING}&group_by=customer", made.sign_in("own-manager"))
    assert "T-C0" in page
    assert "T-C1" not in page
    fetch(made, "/kpis?customer=T-C1", made.sign_in("own-manager"), status=422)


def test_a_period_is_counted_once_in_a_minute_and_anew_where_that_is_asked(
    postgres_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [datetime(2024, 5, 2, 16, 41, 7, tzinfo=UTC)]
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            monkeypatch.setattr("api.console.page.now", lambda: clock[0])

            def close(serial: str, hours: int) -> None:
                with psycopg.connect(database.owner_url) as conn:
                    conn.execute(RESTORED, {"began": BEGAN, "hours": hours, "serial": serial})

            close("T-0000", 10)
            api.add_user("u-service_manager", Role.SERVICE_MANAGER)
            api.add_user("own", Role.SERVICE_MANAGER, customer="T-C1")
            session, own = api.sign_in("u-service_manager"), api.sign_in("own")
            figure = f"/kpis/time_to_restore?{SPRING}"
            first = fetch(api, f"/kpis?{SPRING}", session)
            assert "Counted at 16:41:07 UTC." in first
            assert "10.0 h" in fetch(api, figure, session)
            close("T-0001", 30)
            clock[0] += timedelta(seconds=59)
            again = fetch(api, f"/kpis?{SPRING}", session)
            assert "Counted at 16:41:07 UTC." in again
            assert "20.0 h" not in again
            assert "统计时间：16:41:07 UTC。" in fetch(api, f"/kpis?{SPRING}", session, language="zh")
            # Others' limits are others' figures; other filters are other figures.
            assert "30.0 h" in fetch(api, figure, own)
            assert "30.0 h" in fetch(api, f"{figure}&customer=T-C1", session)
            # The link counts anew, which the page without it shows from then on.
            (anew,) = re.findall(r'href="(/kpis\?[^"]*anew=1)"', again)
            for address in (unescape(anew), f"/kpis?{SPRING}"):
                page = fetch(api, address, session)
                assert "Counted at 16:42:06 UTC." in page
                assert "20.0 h" in page
            (anew,) = re.findall(r'href="(/kpis/time_to_restore\?[^"]*anew=1)"', fetch(api, figure, session))
            assert "20.0 h" in fetch(api, unescape(anew), session)
            close("T-0002", 50)
            clock[0] += timedelta(seconds=60)
            page = fetch(api, f"/kpis?{SPRING}", session)
            assert "Counted at 16:43:06 UTC." in page
            assert "30.0 h" in page


def test_where_no_figure_has_a_record_simulated_ones_are_one_link_away(made: Api) -> None:
    link = re.compile(r'<a href="(/kpis[?][^"]*records=simulated[^"]*)">Look at simulated records</a>')
    session = made.sign_in("u-service_manager")
    empty = "/kpis?from=2020-03-01&to=2020-03-31"
    assert not link.search(fetch(made, empty, session))  # nothing is simulated here
    with psycopg.connect(made.settings.database_url, autocommit=True) as conn:
        conn.execute("UPDATE device SET is_simulated = true WHERE serial = 'T-0005'")
        try:
            found = link.search(fetch(made, empty, session))
            assert found is not None
            assert "None of these figures has a record" not in show(made, unescape(found.group(1)))
            assert not link.search(fetch(made, f"/kpis?{SPRING}", session))  # there are records
        finally:
            conn.execute("UPDATE device SET is_simulated = false WHERE serial = 'T-0005'")
