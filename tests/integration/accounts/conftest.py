"""One secured Mosquitto for each module of these tests."""

from collections.abc import Iterator

import pytest

from tests.support.secured_mosquitto import SecuredMosquitto, secured_mosquitto


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredMosquitto]:
    with secured_mosquitto() as running:
        yield running
