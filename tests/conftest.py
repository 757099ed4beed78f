"""Fixtures that every test may ask for: real databases and real brokers.

- `database`: a fresh, migrated database on embedded PostgreSQL (`.url` for the programs, `.owner_url` for the schema);
- `any_database`: the same on every flavour there is: plain PostgreSQL, TimescaleDB's Apache edition where
  FOREWARN_TEST_TIMESCALE_URL names a server (CI does), and its community edition where FOREWARN_TEST_COMMUNITY_URL
  names one (CI has none: this one is skipped there too);
- `broker`: the embedded broker on a free port, fresh for each test;
- `mosquitto`: a Mosquitto of the test's own that it may stop, kill and start again (`.broker.url`).

Servers of databases start once in a session, each on a copy of what one process of the run initialised and migrated. A
missing service fails in CI and is skipped, with its reason, elsewhere.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.brokers import Broker, MosquittoProcess, embedded_broker, mosquitto_broker
from tests.support.clusters import (
    ORIGINALS_VARIABLE,
    remove_folders_of_the_dead,
    share_originals,
    temporary_folder,
)
from tests.support.databases import (
    COMMUNITY_VARIABLE,
    TIMESCALE_VARIABLE,
    Database,
    DatabaseServer,
    embedded_server,
    timescale_server,
)
from tests.support.services import find_chromium, is_ci, miss

# A property is what is tested; how long an example takes says only how busy the machine is.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    """Embedded PostgreSQL of this test session, its data in a folder that any user may walk through."""
    with temporary_folder("forewarn-test-") as folder, embedded_server(folder) as server:
        yield server


@pytest.fixture(scope="session")
def database_servers(request: pytest.FixtureRequest) -> Iterator[dict[str, DatabaseServer]]:
    """Every flavour's server, each started when the first test asks for it."""
    with ExitStack() as stack:
        servers = _LazyServers(request, stack)
        yield servers


class _LazyServers(dict[str, DatabaseServer]):
    def __init__(self, request: pytest.FixtureRequest, stack: ExitStack) -> None:
        super().__init__()
        self._request = request
        self._stack = stack

    def __missing__(self, flavour: str) -> DatabaseServer:
        if flavour == "postgresql":
            server: DatabaseServer = self._request.getfixturevalue("postgres_server")
        else:
            variable = TIMESCALE_VARIABLE if flavour == "timescale" else COMMUNITY_VARIABLE
            server = self._stack.enter_context(timescale_server(os.environ[variable], flavour))
        self[flavour] = server
        return server


@pytest.fixture
def database(postgres_server: DatabaseServer) -> Iterator[Database]:
    """A fresh, migrated database on plain PostgreSQL."""
    with postgres_server.fresh_database() as fresh:
        yield fresh


@pytest.fixture(
    params=[
        "postgresql",
        pytest.param("timescale", marks=pytest.mark.timescale),
        pytest.param("community", marks=pytest.mark.community),
    ]
)
def any_database(request: pytest.FixtureRequest, database_servers: dict[str, DatabaseServer]) -> Iterator[Database]:
    """A fresh, migrated database on each flavour of the store."""
    flavour: str = request.param
    if flavour == "timescale" and not os.environ.get(TIMESCALE_VARIABLE):
        miss(f"{TIMESCALE_VARIABLE} names no server with TimescaleDB")
    if flavour == "community" and not os.environ.get(COMMUNITY_VARIABLE):
        pytest.skip(f"{COMMUNITY_VARIABLE} names no server with TimescaleDB's community edition")
    with database_servers[flavour].fresh_database() as fresh:
        yield fresh


@pytest.fixture
def broker() -> Iterator[Broker]:
    """The embedded broker, without any session or retained message."""
    with embedded_broker() as running:
        yield running


@pytest.fixture
def mosquitto() -> Iterator[MosquittoProcess]:
    """A Mosquitto with unlimited in-flight window and queues, and persistence."""
    with mosquitto_broker() as running:
        yield running


# A run starts our programs a hundred times. Where byte code may not be kept, each start compiles every module anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Modules and items are made to stay: looking for garbage among them, again and again, takes two fifths of collection.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """What every worker begins with is made once for all of them; they inherit the variable that says where."""
    if ORIGINALS_VARIABLE not in os.environ:
        remove_folders_of_the_dead()
        config.add_cleanup(share_originals())


def pytest_collection_finish() -> None:
    """From now on garbage is looked for, among what tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def leftovers() -> Iterator[None]:
    """Whatever a file's tests left open is found while it is known who did; else some later test would fail for it."""
    yield
    gc.collect()
    gc.freeze()  # what outlives a file outlives them all: to look at it again after each would take a minute


# What takes longest comes first, or one worker would still be busy with it when the others have nothing left to do.
# The workers take whole files in this order (`--dist loadfile --no-loadscope-reorder`).
ORDER = ("faults", "e2e", "integration")
# Of the rest, files that take ten times as long as most.
LONG_FILES = frozenset(
    {
        "conformance/test_detectors.py",
        "unit/anomaly/test_robustness_input.py",
        "unit/anomaly/test_robustness_scenario.py",
        "unit/benchmarks/test_fleet_service.py",
        "unit/ingest/test_columns.py",
        "unit/service_link/test_release_statistics.py",
        "unit/simulators/test_device_kinds.py",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow first; browser tests name their missing Chromium once, in CI they fail instead."""
    items.sort(key=_find_rank)
    if is_ci() or find_chromium() is not None:
        return
    skip = pytest.mark.skip(reason="Chromium is not installed: `apt-get install chromium-headless-shell` or the like")
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(skip)


def _find_rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent)
    if path.parts[0] in ORDER:
        return ORDER.index(path.parts[0])
    return len(ORDER) + (path.as_posix() not in LONG_FILES)
