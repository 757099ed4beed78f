"""Key figures over HTTP: definitions with the numbers, filters, rights, and files that are in the log."""

import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.kpi_catalogue import KPIS
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from tests.support.http_api import Api, find_errors

BEGAN = datetime(2024, 3, 4, 10, tzinfo=UTC)
SPRING = {"from": "2024-03-01T00:00:00Z", "to": "2024-04-01T00:00:00Z"}


@pytest.fixture
def orders(api: Api) -> None:
    """A failure restored after 10 h at T-C0 (T-0000), and one after 30 h at T-C1 (T-0001)."""
    with psycopg.connect(api.settings.database_url) as conn:
        for serial, hours in (("T-0000", 10), ("T-0001", 30)):
            conn.execute(
                "INSERT INTO work_order (code, type, source, priority, state, device_id, customer_id, fault_group,"
                " title_code, title_params, outcome, responded_at, resolved_at, closed_at, created_by, created_at)"
                " SELECT 'WO-' || d.serial, 'CORRECTIVE', 'AUTOMATIC', 'P3', 'CLOSED', d.id, s.customer_id, 'tank',"
                " 'limit_high', '{}', 'CONFIRMED', %(began)s, %(done)s, %(done)s, 'test', %(began)s"
                " FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = %(serial)s",
                {"serial": serial, "began": BEGAN, "done": BEGAN + timedelta(hours=hours)},
            )


def ask(api: Api, headers: dict[str, str], **params: Any) -> dict[str, Any]:
    answer = api.get("/kpis", headers=headers, params=SPRING | params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("orders")
def test_every_figure_comes_with_its_definition(api: Api) -> None:
    found = ask(api, api.token(Role.SERVICE_MANAGER))
    assert [item["key"] for item in found["items"]] == [kpi.key for kpi in KPIS]
    assert (found["from"], found["to"]) == (SPRING["from"], SPRING["to"])
    for item in found["items"]:
        for text in ("name", "definition", "numerator", "denominator"):
            assert item[text]["en"]
            assert item[text]["zh"]
        for figure in item["figures"]:
            assert (figure["value"] is None) == (figure["reason"] is not None)
            if figure["value"] is not None:
                assert figure["value"] == pytest.approx(figure["numerator"] / figure["denominator"])
    (restore,) = ask(api, api.token(Role.AUDITOR), kpi="time_to_restore")["items"]
    (figure,) = restore["figures"]
    assert (figure["value"], figure["records"], figure["simulated"], figure["customer"]) == (20.0, 2, False, None)
    assert restore["unit"] == "h"


@pytest.mark.usefixtures("orders")
def test_filters_and_groups(api: Api) -> None:
    headers = api.token(Role.SERVICE_MANAGER)

    def read(**params: Any) -> list[tuple[Any, ...]]:
        (item,) = ask(api, headers, kpi="time_to_restore", **params)["items"]
        names = ("period", "customer", "model", "value", "reason")
        return [tuple(figure[name] for name in names) for figure in item["figures"]]

    assert read(group_by="customer") == [("", "T-C0", None, 10.0, None), ("", "T-C1", None, 30.0, None)]
    assert read(customer="T-C1") == [("", None, None, 30.0, None)]
    assert read(customer=["T-C0", "T-C1"], model="TEST-100", group_by=["model", "quarter"]) == [
        ("2024-Q1", None, "TEST-100", 20.0, None)
    ]
    assert read(region="north") == [("", None, None, None, "no_records")]
    assert read(simulated="true") == [("", None, None, None, "no_records")]
    weeks = read(group_by="week")
    assert [(week[0], week[3]) for week in weeks[:3]] == [("2024-W09", None), ("2024-W10", 20.0), ("2024-W11", None)]


def test_what_cannot_be_asked_names_the_field(api: Api) -> None:
    headers = api.token(Role.SERVICE_MANAGER)
    for params, field in (
        ({"kpi": "mtfb"}, "kpi"),
        ({"group_by": ["month", "week"]}, "group_by"),
        ({"group_by": "colour"}, "group_by[0]"),
        ({"group_by": "day", "from": "2020-01-01T00:00:00Z"}, "group_by"),
        ({"from": "2024-05-01T00:00:00Z"}, "from"),
        ({"from": "2999-05-01T00:00:00Z", "to": "2999-06-01T00:00:00Z"}, "from"),
        ({"from": "2001-05-01T00:00:00Z"}, "from"),
        ({"customer": "NOBODY"}, "customer"),
        ({"model": "NONE"}, "model"),
        ({"modle": "TEST-100"}, "modle"),
    ):
        refused = api.get("/kpis", headers=headers, params=SPRING | params)
        assert refused.status_code == 422, params
        assert list(find_errors(refused)) == [field], params


@pytest.mark.usefixtures("orders")
def test_who_may_and_whose_rows_are_counted(api: Api) -> None:
    for role in Role:
        headers = api.token(role, customer="T-C0" if role is Role.CUSTOMER else None)
        expected = 200 if Permission.KPI_READ in ROLE_PERMISSIONS[role] else 403
        assert api.get("/kpis", headers=headers, params={"kpi": "availability"}).status_code == expected, role
    own = api.token(Role.SERVICE_MANAGER, customer="T-C0")
    items = {item["key"]: item["figures"] for item in ask(api, own, group_by="customer")["items"]}
    assert {f["customer"] for figures in items.values() for f in figures} == {"T-C0"}
    assert items["time_to_restore"][0]["value"] == 10.0
    # All six devices have been known for a moment; three of them are theirs.
    (known,) = api.get("/kpis", headers=own, params={"kpi": "availability"}).json()["items"]
    assert known["figures"][0]["records"] == 3
    assert items["capa_age"][0]["reason"] == "not_by_customer"
    assert api.get("/kpis", headers=own, params={"customer": "T-C1"}).status_code == 422
    # Whoever sees no CAPAs sees no figures of them.
    items = {item["key"]: item["figures"] for item in ask(api, api.token(Role.DISPATCHER))["items"]}
    assert items["capa_age"][0]["reason"] == items["capa_effectiveness"][0]["reason"] == "permission_missing"


@pytest.mark.usefixtures("orders")
def test_a_file_of_figures_is_in_the_log_before_it_leaves(api: Api) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE work_order SET region = '=1+1' WHERE code = 'WO-T-0001'")
    headers = api.token(Role.SERVICE_MANAGER)
    asked = SPRING | {"kpi": ["time_to_restore", "first_time_fix"], "group_by": "region"}
    by_name = api.get("/kpis", headers=headers, params=asked | {"format": "csv"})
    by_kind = api.get("/kpis", headers=headers | {"Accept": "text/csv"}, params=asked)
    assert by_name.headers["content-type"] == by_kind.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_name.content == by_kind.content
    lines = list(csv.DictReader(io.StringIO(by_name.text)))
    assert [(line["kpi"], line["region"], line["value"], line["records"]) for line in lines] == [
        ("time_to_restore", "", "10.0", "1"),
        ("time_to_restore", "'=1+1", "30.0", "1"),
        ("first_time_fix", "", "1.0", "1"),
        ("first_time_fix", "'=1+1", "1.0", "1"),
    ]
    assert all(line["definition"] for line in lines)
    taken = api.get("/exports", headers=api.token(Role.AUDITOR), params={"list": "kpis"}).json()["items"]
    assert len(taken) == 2
    assert taken[1]["sha256"] == hashlib.sha256(by_name.content).hexdigest() == by_name.headers["x-content-sha256"]
    assert (taken[1]["row_count"], taken[1]["permission"]) == (4, "kpi.read")
    assert taken[1]["filter"]["group_by"] == ["region"]
    assert taken[1]["code"] in by_name.headers["x-forewarn-watermark"]
    # JSON is asked for first, and is not a file.
    both = api.get("/kpis", headers=headers | {"Accept": "application/json, text/csv"}, params=asked)
    assert both.headers["content-type"] == "application/json"
