"""Two hundred open consoles beside ingest: what they take from it, and how soon they hear of a change.

    python -m benchmarks.consoles_live [--streams 200] [--devices 10000] [--every 4] [--seconds 8] [--rounds 2] [--json]

An embedded PostgreSQL with fsync, a broker, `ingest`, `anomaly` and `api` as processes, and a load of single-device
messages from all devices. Windows without and with consoles take turns on the same installation. A console is an open
inbox: its event stream, as static/console.js follows it. Twice a second one of 200 orders of the inbox changes, a
quarter of them on the page that is shown.

`paced`: each device sends a message every so many seconds (`--every`). `ratio` is what was committed and scored with
consoles against without; `lag_ms` how far that was behind what was sent, at most. `saturated`: as many messages as go.
There `ratio` is how many go with consoles against without, on a machine that is also the desks of all who look: what
the process that reads the streams takes is `readers` among the `cores`, and `ratio_beside_readers` is against what
would go on the processors that this leaves. `cores` is how many processors each process kept busy; `api_database` are
the API's connections within `database`. `msg_per_core_s` is what one second of one processor gets done, of those that
ingest, scoring, database, broker and load take: it says whether a message became dearer, on a busy machine too.

`arrival_ms` is from before the commit to each of the streams, `rows_ms` the same for what the page is told to show.

The exit code is 1 where less than 0.95 of the paced load goes (`--least-paced`), less than 0.9 of the saturated one
beside the readers (`--least-ratio`), a change did not reach every stream, or the p95 of the arrivals at the paced load
is a second or more.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from api.passwords import hash_secret, make_api_token, make_session_token
from api.sign_in import COOKIE
from benchmarks.busy_cores import CoreMeter
from benchmarks.ingest_rig import fresh_installation, module_command, running_server
from benchmarks.ingest_throughput import (
    LEAD_VALUES,
    JsonChild,
    allow,
    count_done,
    json_child,
    paced_load,
    wait_until_it_flows,
)
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from benchmarks.process_memory import find_named_children, load_memory
from benchmarks.query_requests import running_api
from domain.roles import Role
from store.pool import Connection, open_connection
from store.sessions import record_session
from store.users import record_user

ARRIVAL_LIMIT_MS = 1_000.0
CHANGE_EVERY_S = 0.5
POLL_S = 0.05
PATIENCE_S = 30.0
MAKE_ORDERS = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, fault_group, title_code, title_params,
        inbox_reason, response_due_at, resolution_due_at, created_by)
    SELECT 'WO-2026-' || lpad(d.id::text, 6, '0'), 'CORRECTIVE', 'MANUAL', 'P3', 'NEW', d.id, 'load', 'manual',
        '{"text": "It leaks."}', 'NEW', now() + interval '1 hour', now() + interval '1 day', 'benchmark'
    FROM device d ORDER BY d.id LIMIT 200
"""
CHANGE_ORDER = """
    UPDATE work_order SET row_version = row_version + 1, updated_at = now()
    WHERE id = (SELECT id FROM work_order ORDER BY updated_at, id * 37 % 200 LIMIT 1) RETURNING code, row_version
"""
COUNT_ONLINE = "SELECT count(*) FROM device WHERE connectivity = 'ONLINE'"
Times = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Window:
    """What one measurement found. `lag_ms`: how long the load would take for what was sent and not done, at most."""

    msg_s: float
    lag_ms: float
    cores: dict[str, float]


@dataclass(slots=True)
class Rig:
    """A running installation under load. `changed` is when (seconds since 1970) each change was about to be made."""

    installation: BenchInstallation
    conn: Connection
    load: JsonChild
    lost: int
    api: int  # its process id
    changed: dict[str, float] = field(default_factory=dict)
    most_mb: float = 0.0

    def measure(self, seconds: float, *, changes: bool = False, rate: float | None = None) -> Window:
        """As many messages as go, or at that rate a second; orders change if they shall."""
        per_message = int(self.load.latest["values_per_message"])
        meter = CoreMeter(self.conn, os.getpid())
        began, first, change_at, lag = time.monotonic(), count_done(self.conn), 0.0, 0.0
        while True:
            now, done = time.monotonic(), count_done(self.conn)
            if now - began >= seconds:
                msg_s = (done - first) / per_message / (now - began)
                return Window(msg_s, lag / (rate or max(msg_s, 1.0)) * 1e3, meter.read())
            lag = max(lag, int(self.load.latest["sent"]) - self.lost - done / per_message)
            ahead = LEAD_VALUES if rate is None else int(rate * (now - began) * per_message) + first - done
            allow(self.load, self.lost + (done + ahead) // per_message)
            if changes and now >= change_at:
                change_at = now + CHANGE_EVERY_S
                self._change()
            time.sleep(POLL_S)

    def settle(self) -> None:
        """Until all that was sent is done."""
        per_message = int(self.load.latest["values_per_message"])
        time.sleep(4 * POLL_S)  # what it was allowed is sent by then
        self.installation.wait_until(
            lambda: count_done(self.conn) >= (int(self.load.latest["sent"]) - self.lost) * per_message, "all to be done"
        )

    def _change(self) -> None:
        began = time.time()  # the commit cannot have been earlier
        row = self.conn.execute(CHANGE_ORDER).fetchone()
        assert row is not None
        self.changed[f"{row[0]}:{row[1]}"] = began
        self.most_mb = max(self.most_mb, load_memory([self.api]))


@dataclass(slots=True)
class Kind:
    """All windows of one kind of load."""

    rate: float | None  # messages a second; None: as many as go
    without: list[Window] = field(default_factory=list)
    beside: list[Window] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # ms, of each change to each stream
    row_waits: list[float] = field(default_factory=list)
    missing: int = 0

    def tell(self) -> dict[str, Any]:
        """Its figures."""
        without, beside = (median(one.msg_s for one in windows) for windows in (self.without, self.beside))
        cores = {"without": average_cores(self.without), "with": average_cores(self.beside)}
        figures: dict[str, Any] = {
            "without_msg_s": round(without, 1),
            "with_msg_s": round(beside, 1),
            "ratio": round(beside / without, 3),
            "lag_ms": {
                "without": round(max(one.lag_ms for one in self.without)),
                "with": round(max(one.lag_ms for one in self.beside)),
            },
            "cores": cores,
            "arrival_ms": find_quantiles(self.waits),
            "rows_ms": find_quantiles(self.row_waits),
            "missing": self.missing,
        }
        figures["msg_per_core_s"] = {
            "without": round(fmean(one.msg_s for one in self.without) / find_work(cores["without"])),
            "with": round(fmean(one.msg_s for one in self.beside) / find_work(cores["with"])),
        }
        if self.rate is None:
            left = 1 - cores["with"]["readers"] / (os.cpu_count() or 1)
            figures["ratio_beside_readers"] = round(beside / without / left, 3)
        return figures


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between messages of one device, paced")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one window")
    parser.add_argument("--rounds", type=int, default=2, help="windows of each kind; the median counts")
    parser.add_argument("--least-paced", type=float, default=0.95, help="what may be left of the paced load")
    parser.add_argument("--least-ratio", type=float, default=0.9, help="what may be left of the saturated load")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        if not arguments.json:
            print(line, flush=True)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forewarn-bench-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs under another account
        cluster = stack.enter_context(running_server(folder))
        installation = stack.enter_context(fresh_installation(cluster, folder, "consoles", arguments.devices))
        figures = measure(installation, arguments, say)
    print(json.dumps(figures))
    return 1 if figures["broken"] else 0


def measure(
    installation: BenchInstallation, arguments: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, Any]:
    """The figures, and under `broken` what is beyond its limit."""
    kinds = {"paced": Kind(arguments.devices / arguments.every), "saturated": Kind(None)}
    with ExitStack() as stack:
        conn = stack.enter_context(open_connection(installation.database_url, application="bench", autocommit=True))
        cookie = _prepare(conn)
        stack.enter_context(installation.running(["ingest", "anomaly"]))
        port = stack.enter_context(running_api(installation.database_url))
        load = stack.enter_context(paced_load(installation, False, "--devices", str(arguments.devices)))
        lost = wait_until_it_flows(installation, load, lambda: count_done(conn))
        rig = Rig(installation, conn, load, lost, find_named_children(os.getpid(), {})["api"])
        _warm_up(rig, arguments.devices)
        before_mb = load_memory([rig.api])
        for _ in range(arguments.rounds):
            for name, kind in kinds.items():
                rig.settle()
                kind.without.append(rig.measure(arguments.seconds, rate=kind.rate))
                rig.settle()
                with open_consoles(installation, port, cookie, arguments.streams) as consoles:
                    known = set(rig.changed)
                    kind.beside.append(rig.measure(arguments.seconds, changes=True, rate=kind.rate))
                    changed = {key: at for key, at in rig.changed.items() if key not in known}
                    hear_all(kind, consoles, changed, arguments.streams)
                say(
                    f"{name}: without {kind.without[-1].msg_s:,.0f} msg/s, "
                    f"with {arguments.streams} consoles {kind.beside[-1].msg_s:,.0f} msg/s"
                )
    figures = {name: kind.tell() for name, kind in kinds.items()}
    return {
        "streams": arguments.streams,
        "devices": arguments.devices,
        **figures,
        "changes": len(rig.changed),
        "api_mb": {"before": round(before_mb, 1), "most": round(rig.most_mb, 1)},
        "broken": find_broken(figures, arguments),
    }


def find_broken(figures: dict[str, dict[str, Any]], arguments: argparse.Namespace) -> list[str]:
    """What is beyond its limit, in words."""
    paced, saturated = figures["paced"], figures["saturated"]
    missing = paced["missing"] + saturated["missing"]
    beside_readers = saturated["ratio_beside_readers"]
    p95 = paced["arrival_ms"]["p95"]
    return [
        *([f"paced ratio {paced['ratio']}"] if paced["ratio"] < arguments.least_paced else []),
        *([f"saturated ratio {beside_readers}"] if beside_readers < arguments.least_ratio else []),
        *([f"{missing} arrivals are missing"] if missing else []),
        *([f"p95 of the arrivals {p95} ms"] if p95 >= ARRIVAL_LIMIT_MS else []),
    ]


@contextmanager
def open_consoles(installation: BenchInstallation, port: int, cookie: str, streams: int) -> Iterator[JsonChild]:
    """All of them listen, from the begin of the block to its end."""
    arguments = ["--port", str(port), "--cookie", cookie, "--streams", str(streams)]
    with json_child(module_command("benchmarks.console_streams", *arguments)) as child:
        installation.wait_until(lambda: child.latest.get("open") == streams, "all consoles to listen", timeout_s=60)
        yield child


def hear_all(kind: Kind, consoles: JsonChild, changed: dict[str, float], streams: int) -> None:
    """Waits until these changes have reached everybody, or for as long as anybody would, and notes when they did."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        arrivals = consoles.latest["arrivals"]
        if all(arrivals.get(key, 0) == streams for key in changed):
            break
        time.sleep(POLL_S)
    assert consoles.process.stdin is not None
    consoles.process.stdin.write(b"\n")
    consoles.process.stdin.flush()
    while "arrived" not in consoles.latest:
        if time.monotonic() > deadline + PATIENCE_S:
            raise BenchmarkFailedError("the readers of the streams do not answer")
        time.sleep(POLL_S)
    kind.waits += _find_waits(consoles.latest["arrived"], changed)
    kind.row_waits += _find_waits(consoles.latest["shown"], changed)
    kind.missing += sum(streams - len(consoles.latest["arrived"].get(key, ())) for key in changed)


def _find_waits(times: Times, changed: dict[str, float]) -> list[float]:
    return [(at - began) * 1e3 for key, began in changed.items() for at in times.get(key, ())]


def _prepare(conn: Connection) -> str:
    """Two hundred orders in the inbox, and the cookie of somebody who looks at it."""
    conn.execute(MAKE_ORDERS)
    user = record_user(
        conn,
        name="bench",
        full_name="Bench",
        password_hash="!",
        roles=[Role.SERVICE_MANAGER.value],
        must_change_password=False,
    )
    assert user is not None
    token = make_session_token()
    record_session(conn, hash_secret(token), user, make_api_token(), datetime.now(UTC) + timedelta(hours=8))
    return f"{COOKIE}={token}"


def _warm_up(rig: Rig, devices: int) -> None:
    """Until all devices are there: that each of them came is told to consoles too, and is no part of this."""
    deadline = time.monotonic() + PATIENCE_S * 3
    while True:
        rig.measure(1.0)
        row = rig.conn.execute(COUNT_ONLINE).fetchone()
        assert row is not None
        if row[0] >= devices:
            return
        if time.monotonic() > deadline:
            raise BenchmarkFailedError(f"only {row[0]} of {devices} devices are online")


def average_cores(windows: list[Window]) -> dict[str, float]:
    """How many processors each process kept busy, on average of the windows."""
    return {name: round(fmean(one.cores[name] for one in windows), 3) for name in windows[0].cores}


def find_work(cores: dict[str, float]) -> float:
    """What of it goes into messages: all but the consoles and this program."""
    return sum(cores[name] for name in ("ingest", "anomaly", "database", "broker", "load")) - cores["api_database"]


def find_quantiles(values: list[float]) -> dict[str, float]:
    """Half of them are below p50, all but one in twenty below p95."""
    if len(values) < 2:
        return {"p50": 0.0, "p95": 0.0, "max": 0.0}
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "max": round(max(values), 1)}


if __name__ == "__main__":
    sys.exit(main())
