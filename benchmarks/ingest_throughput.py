"""One measurement: a load that stays a bounded lead ahead, and how fast what it sends gets done."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from signal import SIGTERM
from typing import IO, Any

from benchmarks.ingest_rig import module_command
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from forewarn.child_process import end
from store.pool import Connection, open_connection

LEAD_VALUES = 120_000  # how far the load may be ahead: a good half second of what a fast machine does
WARM_UP_S = 4.0
POLL_S = 0.05

# In one statement, so that both numbers are of one instant.
COUNT_DONE = """
    SELECT
        (SELECT coalesce(sum(stored), 0) FROM ingest_ledger)
        - (SELECT coalesce(sum(b.reading_count), 0) FROM reading_block b JOIN shard s USING (shard)
           WHERE b.position > s.consumed)
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rates over the measured time. `backlog`: messages sent and not yet done at its end."""

    msg_s: float
    values_per_message: int
    backlog: int
    seconds: float
    drained_s: float  # what it took, after the load had stopped, until all was done

    def __str__(self) -> str:
        values_s = self.msg_s * self.values_per_message
        return (
            f"{self.msg_s:10,.0f} msg/s {values_s:12,.0f} values/s   backlog {self.backlog:6,} messages, "
            f"done {self.drained_s:.2f} s after the load stopped"
        )


@dataclass(slots=True)
class JsonChild:
    """A process that prints JSON lines; `latest` is the newest."""

    process: subprocess.Popen[bytes]
    latest: dict[str, Any] = field(default_factory=dict)

    def follow(self, stream: IO[bytes]) -> None:
        """Keeps `latest` up to date until the process ends."""
        for line in stream:
            self.latest = self.latest | json.loads(line)


@contextmanager
def json_child(command: Sequence[str]) -> Iterator[JsonChild]:
    """The process runs inside the block."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        child = JsonChild(process)
        assert process.stdout is not None
        follower = threading.Thread(target=child.follow, args=(process.stdout,), daemon=True)
        follower.start()
        try:
            yield child
        finally:
            if process.stdin is not None:
                process.stdin.close()
            end(process, with_signal=SIGTERM, timeout_s=10)
            follower.join(5)


def measure_reference(installation: BenchInstallation, gateways: bool, seconds: float) -> Measurement:
    """The bare loop: done is what it has committed."""
    command = module_command(
        "benchmarks.reference_loop", "--mqtt-url", installation.mqtt_url, "--database-url", installation.database_url
    )
    with json_child(command) as reference:
        return _measure(installation, gateways, seconds, lambda: int(reference.latest.get("values", 0)))


def measure_product(installation: BenchInstallation, gateways: bool, seconds: float) -> Measurement:
    """Ingest and scoring, each a process of its own: done is what is committed and scored."""
    with (
        installation.running(["ingest", "anomaly"]),
        open_connection(installation.database_url, application="benchmark", autocommit=True) as conn,
    ):
        return _measure(installation, gateways, seconds, lambda: count_done(conn))


def count_done(conn: Connection) -> int:
    """Values committed and scored."""
    row = conn.execute(COUNT_DONE).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def paced_load(installation: BenchInstallation, gateways: bool, *arguments_of_load: str) -> Iterator[JsonChild]:
    """The load generator, which sends nothing yet."""
    arguments = ["--mqtt-url", installation.mqtt_url, *(["--gateways"] if gateways else []), *arguments_of_load]
    with json_child(module_command("benchmarks.paced_load", *arguments)) as load:
        installation.wait_until(lambda: "values_per_message" in load.latest, "the load generator", timeout_s=30)
        yield load


def allow(load: JsonChild, messages: int) -> None:
    """The load may have sent so many messages in all."""
    assert load.process.stdin is not None
    load.process.stdin.write(b"%d\n" % messages)
    load.process.stdin.flush()


def _measure(
    installation: BenchInstallation, gateways: bool, seconds: float, count_values: Callable[[], int]
) -> Measurement:
    with ExitStack() as stack:
        load = stack.enter_context(paced_load(installation, gateways))
        per_message = int(load.latest["values_per_message"])
        lead = LEAD_VALUES // per_message
        lost = wait_until_it_flows(installation, load, count_values)
        begin = time.monotonic()
        start: tuple[float, int] | None = None
        while True:
            done = lost + count_values() // per_message
            now = time.monotonic()
            if start is None and now - begin >= WARM_UP_S:
                start = (now, done)
            if start is not None and now - start[0] >= seconds:
                break
            allow(load, done + lead)
            time.sleep(POLL_S)
        msg_s = (done - start[1]) / (now - start[0])
        backlog = int(load.latest["sent"]) - done
        time.sleep(0.2)  # what it was allowed before is sent by then
        sent = int(load.latest["sent"])
        installation.wait_until(lambda: count_values() >= (sent - lost) * per_message, "all to be done", timeout_s=60)
        return Measurement(msg_s, per_message, backlog, now - start[0], time.monotonic() - now)


def wait_until_it_flows(installation: BenchInstallation, load: JsonChild, count_values: Callable[[], int]) -> int:
    """How many messages were sent before anybody had subscribed: those are gone, and the rest flows."""
    allowed = 0
    deadline = time.monotonic() + 60
    while count_values() == 0:
        if time.monotonic() > deadline:
            raise BenchmarkFailedError(f"nothing arrives: {installation.read_log('ingest')}")
        allowed += 1
        allow(load, allowed)
        time.sleep(0.25)
    time.sleep(1.0)
    return allowed - count_values() // int(load.latest["values_per_message"])
