"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, what: str, timeout_s: float = 30.0, every_s: float = 0.02) -> None:
    """Returns as soon as `condition` holds; fails the test, naming `what`, when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(every_s)
