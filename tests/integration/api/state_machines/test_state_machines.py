"""Every record's life through the real API: random commands by random people, against a model written from the rules.

FOREWARN_MACHINE_SECONDS drives each machine for so long (beyond 300 with --timeout=0) instead of the hundred commands
that a run of all tests has time for; FOREWARN_MACHINE_SEED takes other commands. What fails names its seed and tells
the last commands.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from random import Random

import pytest

from domain.roles import Permission
from store.audit import verify_chain
from store.certificates import record_certificate
from store.pool import open_connection
from store.profiles import record_profile
from tests.integration.api.state_machines.approvals import ApprovalMachine
from tests.integration.api.state_machines.capas import CapaMachine
from tests.integration.api.state_machines.complaints import ComplaintMachine
from tests.integration.api.state_machines.driver import Driver, Machine
from tests.integration.api.state_machines.field_actions import FieldActionMachine
from tests.integration.api.state_machines.firmware import FirmwareMachine
from tests.integration.api.state_machines.house_rules import HouseRulesMachine
from tests.integration.api.state_machines.people import make_people
from tests.integration.api.state_machines.work_orders import CERTIFIED, WorkOrderMachine
from tests.support.databases import DatabaseServer
from tests.support.fleet import MODEL, PROFILE, make_devices, register
from tests.support.http_api import running_api
from tests.support.service_world import actor

SECONDS = float(os.environ.get("FOREWARN_MACHINE_SECONDS", "0"))
SEED = int(os.environ.get("FOREWARN_MACHINE_SEED", "1"))
CRITICAL = "CRIT-100"


@pytest.fixture(scope="module")
def driver(postgres_server: DatabaseServer) -> Iterator[Driver]:
    """An API with people of every role, technicians with and without certificates, and a safety-critical model."""
    with postgres_server.fresh_database() as database:
        register(database.url, PROFILE, make_devices(6, customers=2))
        with open_connection(database.url, application="test", autocommit=True) as conn:
            with conn.transaction():
                record_profile(
                    conn, replace(PROFILE, model=CRITICAL, udi_di="06970001009972", safety_critical=True), "t"
                )
            conn.execute(
                "UPDATE device SET device_model_id = (SELECT id FROM device_model WHERE key = %s)"
                " WHERE serial IN ('T-0002', 'T-0003')",
                (CRITICAL,),
            )
            with running_api(database.url) as api:
                people = make_people(api)
                for name in CERTIFIED:
                    for model in (MODEL, CRITICAL):
                        with conn.transaction():
                            record_certificate(
                                conn, actor("admin", Permission.USER_MANAGE), name, model, date(2099, 1, 1)
                            )
                yield Driver(api, conn, people)


Make = Callable[[Driver, Random], Machine]


def drive(driver: Driver, make: Make, *, steps: int, at_once: int = 80) -> None:
    """Records one after the other, `steps` commands in all and at most `at_once` for each; where
    FOREWARN_MACHINE_SECONDS is set, as many as there is time for."""
    until = time.monotonic() + SECONDS
    driver.taken, driver.refused, driver.met = 0, {}, Counter()
    sent = life = 0
    while sent < steps or time.monotonic() < until:
        seed = SEED * 1_000_000 + life
        driver.told = [f"seed {seed}"]
        rng = Random(seed)
        sent += driver.drive(make(driver, rng), rng, at_once)
        life += 1
    report = verify_chain(driver.conn)
    assert report.holds, report.problems
    if SECONDS:
        print(f"{life} lives, {sent} sent, {driver.taken} taken, refused {sorted(driver.refused.items())}")  # noqa: T201


def test_work_orders(driver: Driver) -> None:
    def make(driver: Driver, rng: Random) -> Machine:
        is_critical = rng.random() < 0.5
        return WorkOrderMachine(driver, rng, is_critical=is_critical, serial="T-0002" if is_critical else "T-0000")

    drive(driver, make, steps=120)


def test_firmware(driver: Driver) -> None:
    drive(driver, FirmwareMachine, steps=60, at_once=40)


def test_complaints_and_vigilance(driver: Driver) -> None:
    drive(driver, ComplaintMachine, steps=100)


def test_capas(driver: Driver) -> None:
    drive(driver, CapaMachine, steps=130, at_once=120)


def test_field_actions_and_their_devices(driver: Driver) -> None:
    drive(driver, FieldActionMachine, steps=130, at_once=120)


def test_changes_that_take_two_people(driver: Driver) -> None:
    drive(driver, ApprovalMachine, steps=50, at_once=20)


def test_certificates_calendars_policies_and_plans(driver: Driver) -> None:
    drive(driver, HouseRulesMachine, steps=30, at_once=30)
