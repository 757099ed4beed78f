"""The page of the fleet: device-days and tickets by model, firmware and fault as the key figures count them; whose."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import psycopg
import pytest

from domain.roles import ROLE_PERMISSIONS, Permission, Role
from store.fleet import FleetScope, load_fleet_exposures, load_fleet_tickets
from store.pool import open_connection
from tests.support.databases import DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

UNTIL = datetime(2024, 7, 1, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=30)
MOVED = SINCE + timedelta(days=10)  # T-0000 goes from 1.0 to 2.0
SCOPE = FleetScope(SINCE - timedelta(days=30), SINCE, UNTIL, is_simulated=False)
TICKET = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, customer_id, fault_group, title_code,
        title_params, created_by, created_at, closed_at)
    SELECT %(code)s, 'CORRECTIVE', %(source)s, 'P3', 'CLOSED', d.id, s.customer_id, %(fault)s, 'limit_high', '{}',
        'test', %(at)s, %(at)s FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = %(serial)s
"""


@pytest.fixture(scope="module")
def made(postgres_server: DatabaseServer) -> Iterator[Api]:
    """Six devices known for long, one took another firmware, one is offline; tickets in both periods, and a CAPA."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with running_api(database.url) as api:
            with psycopg.connect(database.owner_url) as conn:
                conn.execute(
                    "UPDATE device SET installed_on = NULL, firmware = '1.0',"
                    " created_at = CASE WHEN serial LIKE 'T-000_' THEN '2024-01-01Z' ELSE now() END"
                )
                conn.execute("UPDATE device SET firmware = '2.0' WHERE serial = 'T-0000'")
                conn.execute("UPDATE device SET connectivity = 'OFFLINE' WHERE serial = 'T-0001'")
                conn.execute(
                    "INSERT INTO device_history (device_id, at, field, before, after, source)"
                    " SELECT id, %s, 'firmware:main', '1.0', '2.0', 'device' FROM device WHERE serial = 'T-0000'",
                    (MOVED,),
                )
                tickets = [("T-0000", MOVED + timedelta(days=day + 1), "tank") for day in range(9)]
                tickets += [("T-0000", MOVED - timedelta(days=1), "tank"), ("T-0001", SINCE, "pump")]
                tickets += [("T-0002", SINCE - timedelta(days=1), "tank"), ("T-0003", UNTIL, "tank")]
                for place, (serial, at, fault) in enumerate(tickets):
                    ticket = {"code": f"WO-{place}", "serial": serial, "at": at, "fault": fault}
                    conn.execute(TICKET, {**ticket, "source": "AUTOMATIC"})
                manual = {"code": "WO-M", "serial": "T-0004", "at": SINCE, "fault": "tank", "source": "MANUAL"}
                conn.execute(TICKET, manual)
                conn.execute(
                    "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, scope_value, fault_group,"
                    " trigger, statistics) SELECT 'CAPA-7', 'CORRECTIVE', 'OPEN', device_model_id, 'FIRMWARE',"
                    " '2.0', 'tank', 'COHORT', '{}' FROM device WHERE serial = 'T-0000'"
                )
            for role in Role:
                api.add_user(f"u-{role}", role, customer="T-C0" if role is Role.CUSTOMER else None)
            api.add_user("own-manager", Role.SERVICE_MANAGER, customer="T-C1")
            yield api


def show(api: Api, path: str, user: str = "u-service_manager", *, status: int = 200) -> str:
    answer = api.client.get(path, headers=api.sign_in(user).reading)
    assert answer.status_code == status, answer.text
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def test_device_days_and_tickets_go_to_the_firmware_of_then(made: Api) -> None:
    with open_connection(made.settings.database_url, application="test") as conn:
        exposures = load_fleet_exposures(conn, SCOPE)
        tickets = load_fleet_tickets(conn, SCOPE)
    found = [(e.firmware, e.devices, e.device_days, e.device_days_before, e.in_service, e.silent) for e in exposures]
    assert found == [("1.0", 6, 160.0, 180.0, 5, 1), ("2.0", 1, 20.0, 0.0, 1, 0)]
    assert [(t.firmware, t.fault_group, t.tickets, t.tickets_before) for t in tickets] == [
        ("1.0", "pump", 1, 0),
        ("1.0", "tank", 1, 1),
        ("2.0", "tank", 9, 0),
    ]


def test_the_sums_are_those_of_the_key_figure(made: Api) -> None:
    asked = {"kpi": "tickets_per_1000_device_days", "from": SINCE.isoformat(), "to": UNTIL.isoformat()}
    answer = made.client.get("/api/v1/kpis", params=asked, headers=made.token(Role.SERVICE_MANAGER))
    (figure,) = answer.json()["items"][0]["figures"]
    with open_connection(made.settings.database_url, application="test") as conn:
        exposures = load_fleet_exposures(conn, SCOPE)
        tickets = load_fleet_tickets(conn, SCOPE)
    assert sum(e.device_days for e in exposures) == pytest.approx(figure["denominator"])
    assert 1000 * sum(t.tickets for t in tickets) == figure["numerator"]


def test_the_page_says_rate_change_silence_and_capa(made: Api) -> None:
    page = show(made, "/fleet?from=2024-06-01&to=2024-06-30")
    assert "0 of 3 rows became worse; chance alone would mark up to 1." in page
    assert "180 device-days were looked at." in page
    new = page[page.index("Firmware 2.0") :]
    assert "9 in 20 450.00" in new
    assert "CAPA-7" in new.partition("Firmware 1.0")[0]
    assert "? 20.0%" in page
    together = show(made, "/fleet?from=2024-06-01&to=2024-06-30&by=firmware")
    assert "2 in 160 12.50" in together
    assert "5.56 × 2.25" in together
    assert "less than 1 % of the time" in together


def test_a_period_is_counted_once_in_a_minute_and_anew_where_that_is_asked(made: Api) -> None:
    address = "/fleet?from=2024-06-01&to=2024-06-30"
    with psycopg.connect(made.settings.database_url, autocommit=True) as conn:
        assert "? 20.0%" in show(made, f"{address}&anew=1")
        conn.execute("UPDATE device SET connectivity = 'OFFLINE' WHERE serial = 'T-0002'")
        try:
            kept = show(made, f"{address}&by=firmware")  # the same, put together otherwise
            assert "Counted at" in kept
            assert "? 20.0%" in kept
            assert "20.0%" not in show(made, address, "own-manager")  # three devices of its own
            assert "? 40.0%" in show(made, f"{address}&anew=1")
            assert "? 40.0%" in show(made, address)
        finally:
            conn.execute("UPDATE device SET connectivity = 'UNKNOWN' WHERE serial = 'T-0002'")
            show(made, f"{address}&anew=1")


def test_what_improves_and_worsens_is_marked_in_words(made: Api) -> None:
    """The nine tickets of 2.0 are of June 12 to 20: in the nine days before it had none, in those after none again."""
    worse = show(made, "/fleet?from=2024-06-12&to=2024-06-20&by=firmware")
    assert "Firmware 2.0 1 9 in 9 1,000.00" in worse
    better = show(made, "/fleet?from=2024-06-21&to=2024-06-29&by=firmware")
    assert "▼ × 0.00 · better 0.00 – 0.51" in better


def test_what_cannot_be_asked_is_said_at_the_field(made: Api) -> None:
    assert "This is not a day." in show(made, "/fleet?from=x", status=422)


def test_an_empty_fleet_says_what_was_looked_at_and_where_to_look(made: Api) -> None:
    page = show(made, "/fleet?records=simulated")
    assert "The machine opened no order in this period or the one before." in page
    assert "0 device-days were looked at." in page
    assert "Look at simulated records" in show(made, "/fleet?from=2020-01-01&to=2020-01-31")


def test_who_may_and_whose_records_are_counted(made: Api) -> None:
    for role in Role:
        status = 200 if Permission.KPI_READ in ROLE_PERMISSIONS[role] else 403
        page = show(made, "/fleet?from=2024-06-01&to=2024-06-30", f"u-{role}", status=status)
        if status == 200:
            assert ("CAPA-7" in page) == (Permission.CAPA_READ in ROLE_PERMISSIONS[role])
    own = show(made, "/fleet?from=2024-06-01&to=2024-06-30", "own-manager")
    assert "Firmware 2.0" not in own
    assert "1 in 90" in own
