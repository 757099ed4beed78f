"""An installation of one test with a few devices."""

import pytest

from tests.integration.ingest.lab import Lab
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

DEVICES = 20


@pytest.fixture
def lab(any_database: Database) -> Lab:
    """The devices T-0000 to T-0019 behind the gateway G, each with level, flow and number, on every store flavour."""
    register(any_database.url, PROFILE, make_devices(DEVICES, gateway="G"))
    return Lab(any_database.url)
