"""An API on a database with a device model, two customers and six devices."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

CUSTOMERS = ("T-C0", "T-C1")


@pytest.fixture
def api(database: Database) -> Iterator[Api]:
    """Devices T-0000 ... T-0005; those with even numbers stand at T-C0, the others at T-C1."""
    register(database.url, PROFILE, make_devices(6, customers=2))
    with running_api(database.url) as running:
        yield running
