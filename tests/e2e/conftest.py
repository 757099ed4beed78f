"""One Chromium for the stories that a process runs in a row, and one seeded service for each module of them."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import running_chromium
from tests.e2e.service import Service, running_service
from tests.support.databases import DatabaseServer

_OPEN = ExitStack()
_BROWSERS: list[Browser] = []


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """Headless Chromium, the one of the module before if it still runs: a story has a fresh context in it each time."""
    if not (_BROWSERS and _BROWSERS[-1].is_connected()):
        close_chromium()
        _BROWSERS.append(_OPEN.enter_context(running_chromium()))
    return _BROWSERS[-1]


def close_chromium() -> None:
    """No browser is open on return."""
    _BROWSERS.clear()
    _OPEN.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """Playwright runs an event loop in this thread while it lives; after the last story, others may."""
    try:
        return (yield)
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            close_chromium()


@pytest.fixture(scope="module")
def service(postgres_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with eight open orders and a CAPA proposal, its own for each module."""
    with (
        postgres_server.fresh_database() as database,
        running_service(tmp_path_factory.mktemp("console"), database) as running,
    ):
        yield running
