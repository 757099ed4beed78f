"""An API on a database with a device model, two customers and six devices."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Database, DatabaseServer
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

CUSTOMERS = ("T-C0", "T-C1")


@pytest.fixture(scope="session")
def registered(postgres_server: DatabaseServer) -> Iterator[DatabaseServer]:
    """The server, with the devices in its template: to register them for each test takes as long as a database."""
    with postgres_server.fresh_database() as filled:
        register(filled.url, PROFILE, make_devices(6, customers=2))
        yield postgres_server.with_template(filled)


@pytest.fixture
def database(request: pytest.FixtureRequest, postgres_server: DatabaseServer) -> Iterator[Database]:
    """A fresh, migrated database on plain PostgreSQL; with the devices where a test asks for their API."""
    has_devices = "registered" in request.fixturenames
    server: DatabaseServer = request.getfixturevalue("registered") if has_devices else postgres_server
    with server.fresh_database() as fresh:
        yield fresh


@pytest.fixture
def api(registered: DatabaseServer, database: Database) -> Iterator[Api]:
    """Devices T-0000 ... T-0005; those with even numbers stand at T-C0, the others at T-C1."""
    with running_api(database.url) as running:
        yield running
