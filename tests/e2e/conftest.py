"""One Chromium and one seeded service for each module of stories."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import running_chromium
from tests.e2e.service import Service, running_service
from tests.support.databases import DatabaseServer


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium. Playwright runs an event loop in this thread while it lives; after the module, others may."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(postgres_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with eight open orders and a CAPA proposal, its own for each module."""
    with (
        postgres_server.fresh_database() as database,
        running_service(tmp_path_factory.mktemp("console"), database) as running,
    ):
        yield running
