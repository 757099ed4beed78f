"""What several tests of orders start from."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Database
from tests.support.service_world import World, open_world
from tests.support.sla_desk import Desk, open_desk
from tests.support.staff import Staff, open_staff


@pytest.fixture
def world(any_database: Database) -> Iterator[World]:
    """One site with two pumps."""
    with open_world(any_database.url) as made:
        site = made.add_site("S1")
        made.add_device("SN-1", site)
        made.add_device("SN-2", site)
        yield made


@pytest.fixture
def staff(any_database: Database) -> Iterator[Staff]:
    """A world with a technician and two managers who work on its orders."""
    with open_staff(any_database.url) as made:
        yield made


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    """A hospital in Munich with office hours, a contract and one pump; a Friday afternoon."""
    with open_desk(database.url) as made:
        yield made
