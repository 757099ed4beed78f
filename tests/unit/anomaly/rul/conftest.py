"""Fits of these tests take one core, as `train_model` sees to: beside others, threads wait for one another for long."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_core() -> Iterator[None]:
    with threadpool_limits(1):
        yield
