"""Sites, contracts and complaints as files: their columns, and nobody's name without a second person."""

import csv
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from store.export_lists import EXPORT_LISTS, iterate_export
from store.pool import open_connection
from tests.support.http_api import Api

COMPLAINT = {
    "severity": "MAJOR",
    "details": "stopped twice",
    "serial": "T-0000",
    "fault_group": "tank",
    "reporter_name": "Nora Nurse",
    "reporter_phone": "+49 30 1",
}


@pytest.fixture
def clerk(api: Api) -> dict[str, str]:
    """Headers of somebody who may take files, on an installation with a contract and a complaint."""
    erp = api.token(Role.INTEGRATOR)
    contract = {"customer": "T-C0", "starts_on": "2026-01-01", "ends_on": "2099-01-01", "devices": ["T-0000", "T-0002"]}
    made = api.request("PUT", "/contracts/by-ref/erp/K-1", headers=erp, json=contract)
    assert made.status_code == 201, made.text
    filed = api.post("/complaints", headers=erp, json=COMPLAINT)
    assert filed.status_code == 201, filed.text
    api.add_user("mona", Role.SERVICE_MANAGER)
    return api.sign_in("mona").writing


def take(api: Api, headers: dict[str, str], name: str, **filters: Any) -> list[dict[str, str]]:
    wish = {"list": name, "format": "csv", "filter": filters, "reason": "review"}
    answer = api.post("/exports", headers=headers, json=wish)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(answer.text.splitlines()[1:]))  # the first line is the watermark


def test_each_list_has_its_rows_and_filters(api: Api, clerk: dict[str, str]) -> None:
    (site,) = take(api, clerk, "sites", customer="T-C1")
    assert (site["code"], site["customer_name"], site["time_zone"]) == ("T-S1", "Hospital 1", "UTC")
    (contract,) = take(api, clerk, "contracts", status=["DRAFT"])
    assert (contract["code"], contract["devices"], contract["customer"]) == ("K-1", "T-0000 T-0002", "T-C0")
    assert take(api, clerk, "contracts", status="ACTIVE") == []
    (complaint,) = take(api, clerk, "complaints", serial="T-0000", decision="UNDECIDED")
    assert (complaint["severity"], complaint["model"], complaint["customer"]) == ("MAJOR", "TEST-100", "T-C0")
    assert complaint["work_order"].startswith("WO-")
    assert take(api, clerk, "complaints", customer="T-C1") == []


def test_who_complained_is_in_no_file_of_one_person_alone(api: Api, clerk: dict[str, str]) -> None:
    (complaint,) = take(api, clerk, "complaints")
    assert "reporter_name" not in complaint
    assert "Nora" not in str(complaint)
    wish = {"list": "complaints", "columns": ["code", "reporter_name"], "reason": "letters"}
    assert api.post("/exports", headers=clerk, json=wish).json()["guard"] == "approval_missing"


def test_a_query_gives_the_columns_of_its_list_and_the_rows_of_one_customer(api: Api, clerk: dict[str, str]) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        row = conn.execute("SELECT id FROM customer WHERE code = 'T-C1'").fetchone()
        assert row is not None
        for name in ("sites", "contracts", "complaints"):
            what = EXPORT_LISTS[name]
            values = dict.fromkeys(what.filters)
            found = list(iterate_export(conn, name, values, customer_id=None))
            assert {len(cells) for cells in found} == {len(what.columns)}, name
            theirs = list(iterate_export(conn, name, values, customer_id=row[0]))
            assert [cells[0] for cells in theirs] == (["T-S1"] if name == "sites" else [])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("DELETE FROM master_reference")
