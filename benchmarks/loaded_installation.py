"""An installation that a load is sent to, and windows in which it is seen how much of it gets done."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.busy_cores import CoreMeter
from benchmarks.ingest_throughput import (
    LEAD_VALUES,
    JsonChild,
    allow,
    count_done,
    paced_load,
    wait_until_it_flows,
)
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from benchmarks.paired_windows import Window
from store.pool import Connection

POLL_S = 0.05
PATIENCE_S = 90.0
Meanwhile = Callable[[float], None]
COUNT_ONLINE = "SELECT count(*) FROM device WHERE connectivity = 'ONLINE'"


@dataclass(frozen=True, slots=True)
class LoadedInstallation:
    """Ingest, scoring and the load run. `lost` messages were sent before anybody had subscribed."""

    installation: BenchInstallation
    conn: Connection
    load: JsonChild
    lost: int

    def measure(self, seconds: float, rate: float | None = None, meanwhile: Meanwhile | None = None) -> Window:
        """What gets done while as much is sent as goes, or so many messages a second.

        Raises
        ------
        BenchmarkFailedError
            Hardly anything was committed and scored.
        """
        meter = CoreMeter(self.conn, os.getpid())
        steps, lag = self.send(seconds, rate, meanwhile)
        msg_s = find_rate(steps) / int(self.load.latest["values_per_message"])
        return Window(msg_s, lag / (rate or msg_s) * 1e3, meter.read())

    def send(
        self, seconds: float, rate: float | None = None, meanwhile: Meanwhile | None = None
    ) -> tuple[list[tuple[float, int]], float]:
        """When (monotonic seconds) how many readings were done, wherever it became more, and how many messages were
        sent and not done, at most. `meanwhile` is called again and again with the time."""
        per_message = int(self.load.latest["values_per_message"])
        began, lag = time.monotonic(), 0.0
        sent, steps = int(self.load.latest["sent"]), list[tuple[float, int]]()
        while True:
            now, done = time.monotonic(), count_done(self.conn)
            if not steps or done > steps[-1][1]:
                steps.append((now, done))
            if now - began >= seconds:
                return steps, lag
            lag = max(lag, int(self.load.latest["sent"]) - self.lost - done / per_message)
            saturating = self.lost + (done + LEAD_VALUES) // per_message
            allow(self.load, saturating if rate is None else sent + int(rate * (now - began)))
            if meanwhile is not None:
                meanwhile(now)
            time.sleep(POLL_S)

    def count_stored(self) -> int:
        """Readings that are committed and scored so far."""
        return count_done(self.conn)

    def settle(self) -> None:
        """Until all that was sent is done."""
        per_message = int(self.load.latest["values_per_message"])
        time.sleep(4 * POLL_S)  # what it was allowed is sent by then
        self.installation.wait_until(
            lambda: count_done(self.conn) >= (int(self.load.latest["sent"]) - self.lost) * per_message, "all to be done"
        )


@contextmanager
def running_load(installation: BenchInstallation, conn: Connection, devices: int) -> Iterator[LoadedInstallation]:
    """Ingest, scoring and a load of single-device messages run inside the block; each device has been heard of.

    Raises
    ------
    BenchmarkFailedError
        Not all devices came to be online.
    """
    with ExitStack() as stack:
        stack.enter_context(installation.running(["ingest", "anomaly"]))
        load = stack.enter_context(paced_load(installation, False, "--devices", str(devices)))
        lost = wait_until_it_flows(installation, load, lambda: count_done(conn))
        loaded = LoadedInstallation(installation, conn, load, lost)
        deadline = time.monotonic() + PATIENCE_S
        while (online := _count_online(conn)) < devices:
            if time.monotonic() > deadline:
                raise BenchmarkFailedError(f"only {online} of {devices} devices are online")
            loaded.send(1.0)
        yield loaded


def _count_online(conn: Connection) -> int:
    row = conn.execute(COUNT_ONLINE).fetchone()
    assert row is not None
    return int(row[0])


def find_rate(steps: Sequence[tuple[float, int]]) -> float:
    """How many a second got done, from when (s) how many were. Work is done in batches: from a step to a step.

    Raises
    ------
    BenchmarkFailedError
        There were not two steps after the first look.
    """
    if len(steps) < 3:
        raise BenchmarkFailedError("in a whole window hardly anything was committed and scored")
    (began, first), (ended, last) = steps[1], steps[-1]
    return (last - first) / (ended - began)
