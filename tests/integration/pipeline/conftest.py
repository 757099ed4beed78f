"""One running pipeline for a module's tests, on each flavour of the store; every test uses devices of its own."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.brokers import embedded_broker, mosquitto_broker
from tests.support.databases import TIMESCALE_VARIABLE, DatabaseServer
from tests.support.fleet import SCENARIO_PROFILE, make_scenario_devices
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline
from tests.support.services import miss

# How long triage waits for the rest of a late backlog; the default of 20 s is for real gateways.
QUICK_GRACE = {"FOREWARN_SERVICE_LINK_LATE_GRACE_S": "3"}


@pytest.fixture(scope="module", params=["postgresql", pytest.param("timescale", marks=pytest.mark.timescale)])
def pipeline(
    request: pytest.FixtureRequest,
    database_servers: dict[str, DatabaseServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pipeline]:
    """What a newcomer runs (embedded broker, plain PostgreSQL), and what production runs (Mosquitto, TimescaleDB)."""
    flavour: str = request.param
    if flavour == "timescale" and not os.environ.get(TIMESCALE_VARIABLE):
        miss(f"{TIMESCALE_VARIABLE} names no server with TimescaleDB")
    with ExitStack() as stack:
        database = stack.enter_context(database_servers[flavour].fresh_database())
        if flavour == "timescale":
            port = stack.enter_context(mosquitto_broker()).port
        else:
            port = stack.enter_context(embedded_broker()).port
        folder = tmp_path_factory.mktemp("pipeline")
        running = stack.enter_context(
            running_pipeline(
                folder, database, port, make_scenario_devices(), profile=SCENARIO_PROFILE, settings=QUICK_GRACE
            )
        )
        running.wait_until_ready()
        yield running
