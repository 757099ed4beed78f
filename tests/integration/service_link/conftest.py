"""What several tests of orders and of webhooks start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.service_world import World, open_world
from tests.support.sla_desk import Desk, open_desk
from tests.support.staff import Staff, open_staff
from tests.support.webhook_receiver import Receiver, open_receiver
from tests.support.webhooks import Hooks, open_hooks


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks; what came to it was right."""
    with open_receiver() as found:
        yield found
        assert found.wrong == []


@pytest.fixture
def hooks(database: Database, tmp_path: Path) -> Iterator[Hooks]:
    """A database with no endpoint yet, which may be on this machine."""
    with open_hooks(database.url, tmp_path) as found:
        yield found
