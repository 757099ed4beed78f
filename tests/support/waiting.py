"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable

# On a machine with much to do everything takes longer, and a test that waits in vain is as wrong a little later.
TIMEOUT_S = 60.0
# A condition that costs a connection and a query must not keep busy the machine that is to make it true.
SHARE_OF_ASKING = 0.1


def wait_until(
    condition: Callable[[], object], *, what: str, timeout_s: float = TIMEOUT_S, every_s: float = 0.02
) -> None:
    """Returns soon after `condition` holds; fails the test, naming `what`, when it does not in time.

    Asks every `every_s`, or so rarely that asking takes a tenth of the time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        # Before the condition: it is looked at once more after the deadline, however long the process was held up.
        asked = time.monotonic()
        if condition():
            return
        if asked > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        took = time.monotonic() - asked
        time.sleep(max(every_s, took * (1.0 / SHARE_OF_ASKING - 1.0)))
