"""Two hundred open consoles beside ingest: what they take from it, and how soon they hear of a change.

    python -m benchmarks.consoles_live [--streams 200] [--devices 10000] [--seconds 8] [--rounds 2] [--json]

An embedded PostgreSQL with fsync, a broker, `ingest`, `anomaly` and `api` as processes, and a load of single-device
messages from all devices, as fast as they are committed and scored. Windows without and with consoles take turns on the
same installation; `ratio` is that of the medians. A console is an event stream, and a look at the inbox's versions
after what it does not show, as static/console.js does; all are one process of their own on the same machine. Twice a
second one of 200 orders of the inbox changes, a quarter of them on the page that is shown.

`arrival_ms` is from the commit to each of the streams while the load is half of what goes, `arrival_saturated_ms` while
it is all of it: a change is told when no older transaction is under way, and a saturated ingest has long ones.
`api_cores` is how many processors the API kept busy in the last windows, `look_ms` a look as the console waits for it,
`api_mb` the memory of the API before the consoles come and at most while they are there.

The exit code is 1 where the ratio is below `--least-ratio`, a change did not reach every stream, or the p95 of the
arrivals is a second or more.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from api.passwords import hash_secret, make_api_token, make_session_token
from api.sign_in import COOKIE
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
from benchmarks.process_memory import find_named_children, load_cpu_ms, load_memory
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
    WHERE id = (SELECT id FROM work_order ORDER BY updated_at, id LIMIT 1) RETURNING code, row_version
"""
COUNT_ONLINE = "SELECT count(*) FROM device WHERE connectivity = 'ONLINE'"


@dataclass(slots=True)
class Rig:
    """A running installation under load. `changed` is when (seconds since 1970) each change was committed."""

    installation: BenchInstallation
    conn: Connection
    load: JsonChild
    lost: int
    api: int  # its process id
    changed: dict[str, float] = field(default_factory=dict)
    most_mb: float = 0.0
    api_cores: float = 0.0  # of the latest measurement: processors that the API kept busy

    def measure(self, seconds: float, *, changes: bool = False, rate: float | None = None) -> float:
        """Messages a second that are committed and scored meanwhile, of as many as go or of that rate; orders change if
        they shall."""
        per_message = int(self.load.latest["values_per_message"])
        began, first, change_at = time.monotonic(), count_done(self.conn), 0.0
        cpu_ms = load_cpu_ms(self.api)
        while True:
            now, done = time.monotonic(), count_done(self.conn)
            if now - began >= seconds:
                self.api_cores = (load_cpu_ms(self.api) - cpu_ms) / 1e3 / (now - began)
                return (done - first) / per_message / (now - began)
            lead = LEAD_VALUES if rate is None else int(rate * (now - began) * per_message) + first - done
            allow(self.load, self.lost + (done + lead) // per_message)
            if changes and now >= change_at:
                change_at = now + CHANGE_EVERY_S
                self._change()
            time.sleep(POLL_S)

    def _change(self) -> None:
        began = time.time()  # the commit cannot have been earlier
        row = self.conn.execute(CHANGE_ORDER).fetchone()
        assert row is not None
        self.changed[f"{row[0]}:{row[1]}"] = began
        self.most_mb = max(self.most_mb, load_memory([self.api]))


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one window")
    parser.add_argument("--rounds", type=int, default=2, help="windows of each kind; the median counts")
    parser.add_argument("--least-ratio", type=float, default=0.9, help="what may be left of ingest")
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
    rates: dict[bool, list[float]] = {False: [], True: []}
    saturated: set[str] = set()
    cores: dict[str, float] = {}
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
        seen = Audience(port, cookie, arguments.streams, installation)
        for _ in range(arguments.rounds):
            rates[False].append(rig.measure(arguments.seconds))
            alone = rig.api_cores
            known = set(rig.changed)
            with seen.open() as consoles:
                rates[True].append(rig.measure(arguments.seconds, changes=True))
                cores = {"without": round(alone, 2), "with": round(rig.api_cores, 2)}
                seen.wait(consoles, rig.changed.keys() - known)
                saturated |= rig.changed.keys() - known
                rig.measure(arguments.seconds, changes=True, rate=rates[False][-1] / 2)
                seen.wait(consoles, rig.changed.keys() - known)
            say(
                f"without {rates[False][-1]:,.0f} msg/s, with {arguments.streams} consoles {rates[True][-1]:,.0f} msg/s"
            )
    waits = {key: [(at - rig.changed[key]) * 1e3 for at in times] for key, times in seen.arrived.items()}
    arrivals = _find_quantiles([wait for key, all_of in waits.items() if key not in saturated for wait in all_of])
    late = _find_quantiles([wait for key, all_of in waits.items() if key in saturated for wait in all_of])
    ratio = median(rates[True]) / median(rates[False])
    missing = arguments.streams * len(rig.changed) - sum(map(len, waits.values()))
    broken = [f"ratio {ratio:.3f}"] if ratio < arguments.least_ratio else []
    broken += [f"{missing} arrivals are missing"] if missing else []
    broken += [f"p95 of the arrivals {arrivals['p95']} ms"] if arrivals["p95"] >= ARRIVAL_LIMIT_MS else []
    return {
        "streams": arguments.streams,
        "devices": arguments.devices,
        "without_msg_s": round(median(rates[False]), 1),
        "with_msg_s": round(median(rates[True]), 1),
        "ratio": round(ratio, 3),
        "changes": len(rig.changed),
        "missing": missing,
        "arrival_ms": arrivals,
        "arrival_saturated_ms": late,
        "api_cores": cores,
        "looks": seen.looks,
        "look_ms": _find_quantiles(seen.look_ms),
        "api_mb": {"before": round(before_mb, 1), "most": round(rig.most_mb, 1)},
        "broken": broken,
    }


@dataclass(slots=True)
class Audience:
    """The consoles, opened anew for each window, and what all of them have seen so far."""

    port: int
    cookie: str
    streams: int
    installation: BenchInstallation
    looks: int = 0
    look_ms: list[float] = field(default_factory=list)
    arrived: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[JsonChild]:
        """All of them listen, from the begin of the block to its end."""
        arguments = ["--port", str(self.port), "--cookie", self.cookie, "--streams", str(self.streams)]
        with json_child(module_command("benchmarks.console_streams", *arguments)) as child:
            self.installation.wait_until(
                lambda: child.latest.get("open") == self.streams, "all consoles to listen", timeout_s=60
            )
            yield child
            self.looks += child.latest["looks"]
            self.look_ms += child.latest["look_ms"]
            self.arrived |= child.latest["arrived"]

    def wait(self, child: JsonChild, changed: Collection[str]) -> None:
        """Until these changes have reached everybody, or for as long as anybody would wait."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            arrived = child.latest["arrived"]
            if all(len(arrived.get(key, ())) == self.streams for key in changed):
                return
            time.sleep(POLL_S)


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


def _find_quantiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "max": round(max(values), 1)}


if __name__ == "__main__":
    sys.exit(main())
