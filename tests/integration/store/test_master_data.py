"""Master data by several at once, by the command line's import, and what contracts cover where orders are made."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from time import monotonic

import pytest

from domain.audit import Actor
from domain.audit_master_data import contract_moved
from domain.contract import ContractState
from domain.installed_base import parse_installed_base
from domain.master_data import ExternalName, MasterKind, Upserted
from domain.roles import Permission
from service_link.plans import keep_plans
from store.audit import AuditFilter, load_audit_events
from store.contracts import load_contract_of, load_service_contract
from store.installed_base import ImportReport, record_installed_base
from store.master_imports import upsert_record
from store.master_references import Intake, name_source
from store.pool import Connection, open_connection
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.service_world import NOW, open_world

ERP = Actor("token:erp", "integrator", Permission.MASTER_DATA_WRITE)
UDI = "(01)06970001009996(21)T-0000"


def upsert(url: str, kind: MasterKind, name: ExternalName, given: Mapping[str, object]) -> Upserted:
    with open_connection(url, application="test") as conn:
        intake = Intake(conn, ERP, NOW)
        intake.begin()
        done = upsert_record(intake, kind, name, dict(given))
        intake.finish()
    assert isinstance(done, Upserted), done
    return done


def test_the_same_record_from_eight_at_once_is_one(database: Database) -> None:
    name, given = ExternalName("erp", "CUST-1", "Customer"), {"code": "C-1", "name": "Lakeview"}
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(upsert, database.url, MasterKind.CUSTOMER, name, given) for _ in range(8)]
        actions = sorted(job.result().action for job in jobs)
    assert actions == ["created"] + ["unchanged"] * 7
    with open_connection(database.url, application="test") as conn:
        assert [e.action for e in load_audit_events(conn, AuditFilter("customer", "C-1"))] == ["customer.created"]
        assert conn.execute("SELECT count(*) FROM master_reference").fetchone() == (1,)


def wait_until_blocked(conn: Connection) -> None:
    query = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    deadline = monotonic() + 60
    while conn.execute(query.encode()).fetchone() != (True,):
        assert monotonic() < deadline
        conn.execute("SELECT pg_stat_clear_snapshot()")


def test_what_others_write_meanwhile_is_not_taken_back(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1, customers=1))
    contract = {"customer": "T-C0", "starts_on": date(2026, 1, 1), "ends_on": date(2099, 1, 1)}
    upsert(database.url, MasterKind.CONTRACT, ExternalName("forewarn", "K1"), contract)
    meanwhile = (
        ("UPDATE device SET calibration_due = '2027-05-05'", MasterKind.DEVICE, "T-0000", {"region": "north"}),
        ("UPDATE service_contract SET sla_policy_id = (SELECT min(id) FROM sla_policy)", MasterKind.CONTRACT, "K1",
         {"coverage": "parts"}),
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool, open_connection(database.url, application="test", autocommit=True) as conn:
        conn.execute("INSERT INTO sla_policy (code, name, current_version, updated_at) VALUES ('g', 'G', 1, now())")
        for change, kind, code, given in meanwhile:
            with conn.transaction():
                conn.execute(change.encode())
                job = pool.submit(upsert, database.url, kind, ExternalName("forewarn", code), given)
                wait_until_blocked(conn)
            assert job.result().fields == tuple(given)
        found = conn.execute("SELECT calibration_due, region FROM device WHERE serial = 'T-0000'").fetchone()
        assert found == (date(2027, 5, 5), "north")
        found = conn.execute("SELECT sla_policy_id IS NOT NULL, coverage FROM service_contract").fetchone()
        assert found == (True, "parts")


def test_the_history_of_a_device_is_in_the_order_in_which_it_was_changed(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1, customers=1))
    with open_connection(database.url, application="test", autocommit=True) as conn:
        # The second one decided first, and had to wait for the first.
        for to, at in (("QUARANTINED", NOW), ("IN_SERVICE", NOW - timedelta(seconds=3))):
            with conn.transaction():
                name_source(conn, "user:dora", at)
                conn.execute("UPDATE device SET lifecycle = %s WHERE serial = 'T-0000'", (to,))
        found = conn.execute(
            "SELECT at, after FROM device_history WHERE field = 'lifecycle' ORDER BY at, id"
        ).fetchall()
    assert found == [(NOW, "QUARANTINED"), (NOW, "IN_SERVICE")]


def bring_in(conn: Connection, text: str) -> ImportReport:
    devices, problems = parse_installed_base(text)
    assert problems == []
    return record_installed_base(conn, devices, actor="cli", role="admin", lines=[2])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("serial,model,udi\nT-0000,TEST-100,(01)06970001009996(21)T-9\n", "udi"),
        ("serial,model,customer_ref,site_ref\nT-0000,TEST-100,T-C1,T-S1\n", "customer_ref"),
        ("serial,model,customer_ref,site_ref\nN-1,TEST-100,T-C1,T-S0\n", "site_ref"),
    ],
)
def test_the_command_line_changes_no_key_field_either(database: Database, text: str, field: str) -> None:
    register(database.url, PROFILE, make_devices(2, customers=2))
    with open_connection(database.url, application="test") as conn:
        first = bring_in(conn, f"serial,model,udi\nT-0000,TEST-100,{UDI}\n")  # there was none: no change of one
        assert (first.changed, first.problems) == (1, [])
        report = bring_in(conn, text)
        assert [(problem.line, problem.field) for problem in report.problems] == [(2, field)]
        assert (report.created, report.changed) == (0, 0)
        kept = "SELECT d.udi, s.code FROM device d JOIN site s ON s.id = d.site_id WHERE d.serial = 'T-0000'"
        assert conn.execute(kept).fetchone() == (UDI, "T-S0")
        owner = "SELECT c.code FROM site s JOIN customer c ON c.id = s.customer_id WHERE s.code = 'T-S0'"
        assert conn.execute(owner).fetchone() == ("T-C0",)


def test_an_order_is_done_under_the_contract_that_covers_its_device(database: Database) -> None:
    with open_world(database.url) as world:
        site = world.add_site("S1", contract=True)  # K-S1, until 2027-01-01
        devices = [world.add_device(f"SN-{n}", site) for n in (1, 2)]
        given = {
            "customer": "C-S1",
            "starts_on": NOW.date(),
            "ends_on": NOW.date() + timedelta(days=3650),
            "devices": ("SN-1",),
            "status": "ACTIVE",
        }
        upsert(database.url, MasterKind.CONTRACT, ExternalName("erp", "K-LONG"), given)
        for serial in ("SN-1", "SN-2"):
            world.decide(serial)
        found = world.rows(
            "SELECT d.serial, k.code FROM work_order w JOIN device d ON d.id = w.device_id"
            " JOIN service_contract k ON k.id = w.contract_id ORDER BY d.serial"
        )
        assert [tuple(row.values()) for row in found] == [("SN-1", "K-LONG"), ("SN-2", "K-S1")]
        assert [load_contract_of(world.conn, device, NOW.date()) for device in devices] == ["K-LONG", "K-S1"]


def test_a_contract_runs_out_when_its_last_day_is_over_and_once(database: Database) -> None:
    with open_world(database.url) as world:
        world.add_site("S1", contract=True)
        last = datetime(2027, 1, 1, 23, 59, tzinfo=UTC)
        for now, status in (
            (last, "ACTIVE"),
            (last + timedelta(minutes=1), "EXPIRED"),
            (last + timedelta(1), "EXPIRED"),
        ):
            keep_plans(world.conn, now)
            contract = load_service_contract(world.conn, "K-S1", customer_id=None)
            assert contract is not None
            assert contract.status == status
        events = load_audit_events(world.conn, AuditFilter("contract", "K-S1", action="contract.expired"))
        said = contract_moved("K-S1", ContractState.ACTIVE, ContractState.EXPIRED, "")
        assert [(e.before, e.after) for e in events] == [(said.before, said.after)]
