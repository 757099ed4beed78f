"""An API on a database with a device model, two customers and six devices."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, running_api

CUSTOMERS = ("T-C0", "T-C1")


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with the least of work. With which parameters the product hashes is tested in tests/unit/api."""
    monkeypatch.setattr("api.passwords._HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def api(database: Database) -> Iterator[Api]:
    """Devices T-0000 ... T-0005; those with even numbers stand at T-C0, the others at T-C1."""
    register(database.url, PROFILE, make_devices(6, customers=2))
    with running_api(database.url) as running:
        yield running
