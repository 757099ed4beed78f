"""What several tests of orders start from."""

from collections.abc import Iterator

import pytest

from tests.support.databases import Database
from tests.support.staff import Staff, open_staff


@pytest.fixture
def staff(any_database: Database) -> Iterator[Staff]:
    """A world with a technician and two managers who work on its orders."""
    with open_staff(any_database.url) as made:
        yield made
