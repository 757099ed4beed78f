"""An import says what it says and no more: what it leaves empty stays as it was."""

from typing import Any

from domain.installed_base import parse_installed_base
from forewarn.commands.profiles import apply_bundled_profiles
from store.installed_base import ImportReport, record_installed_base
from store.pool import Connection, open_connection
from tests.support.databases import Database

FULL = (
    "serial,model,firmware,gateway,customer_ref,customer_name,customer_type,site_ref,site_name,site_time_zone,region\n"
    "SN-1,INF-200,1.0,GW-1,C-1,Lakeview Hospital,CLINIC,S-1,Intensive care,Europe/Berlin,DE\n"
)
LOAD_PLACE = """
    SELECT c.name, c.type, c.region, s.name, s.time_zone, s.region, gs.code
    FROM device d JOIN site s ON s.id = d.site_id JOIN customer c ON c.id = s.customer_id
    LEFT JOIN gateway g ON g.id = d.gateway_id LEFT JOIN site gs ON gs.id = g.site_id
    WHERE d.serial = %s
"""
PLACE = ("Lakeview Hospital", "CLINIC", "DE", "Intensive care", "Europe/Berlin", "DE", "S-1")


def bring_in(conn: Connection, text: str) -> ImportReport:
    devices, problems = parse_installed_base(text)
    assert problems == []
    return record_installed_base(conn, devices, actor="test", role="admin")


def load_place(conn: Connection, serial: str) -> tuple[Any, ...] | None:
    return conn.execute(LOAD_PLACE, (serial,)).fetchone()


def test_codes_alone_leave_customer_site_and_gateway_as_they_were(database: Database) -> None:
    with open_connection(database.url, application="test") as conn:
        apply_bundled_profiles(conn)
        bring_in(conn, FULL)
        report = bring_in(conn, "serial,model,gateway,customer_ref,site_ref\nSN-2,INF-200,GW-1,C-1,S-1\n")
        bring_in(conn, "serial,model,gateway\nSN-3,INF-200,GW-1\n")
        assert report.created == 1
        assert load_place(conn, "SN-1") == load_place(conn, "SN-2") == PLACE


def test_what_one_line_names_is_not_taken_back_by_the_next(database: Database) -> None:
    with open_connection(database.url, application="test") as conn:
        apply_bundled_profiles(conn)
        bring_in(conn, FULL + "SN-2,INF-200,,,C-1,,,S-1,,,\n")
        assert load_place(conn, "SN-1") == PLACE


def test_new_places_without_a_name_are_called_by_their_codes(database: Database) -> None:
    with open_connection(database.url, application="test") as conn:
        apply_bundled_profiles(conn)
        bring_in(conn, "serial,model,customer_ref,site_ref\nSN-1,INF-200,C-9,S-9\n")
        assert load_place(conn, "SN-1") == ("C-9", "HOSPITAL", "", "S-9", "UTC", "", None)


def test_what_differs_is_mended_and_the_same_again_changes_nothing(database: Database) -> None:
    with open_connection(database.url, application="test") as conn:
        apply_bundled_profiles(conn)
        bring_in(conn, FULL)
        bring_in(conn, "serial,model,customer_ref,customer_name\nSN-1,INF-200,C-1,Lakeside Hospital\n")
        assert load_place(conn, "SN-1") == ("Lakeside Hospital", *PLACE[1:])
        versions = "SELECT array_agg(row_version ORDER BY code) FROM (SELECT * FROM customer) c"
        assert conn.execute(versions).fetchone() == ([2],)
        again = (
            "serial,model,customer_ref,customer_name\nSN-1,INF-200,C-1,Lakeview\nSN-2,INF-200,C-1,Lakeside Hospital\n"
        )
        bring_in(conn, again)
        assert conn.execute(versions).fetchone() == ([2],)
