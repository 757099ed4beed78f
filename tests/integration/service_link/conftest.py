"""What several tests of orders start from."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Database
from tests.support.sla_desk import Desk, open_desk
from tests.support.staff import Staff, open_staff


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
