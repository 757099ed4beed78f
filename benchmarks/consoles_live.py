"""Two hundred open consoles beside ingest: what they take from it, and how soon they hear of a change.

    python -m benchmarks.consoles_live [--streams 200] [--devices 10000] [--every 4] [--seconds 4] [--blocks 24]

An embedded PostgreSQL, a broker, `ingest`, `anomaly` and `api` as processes, and a load of single-device messages from
all devices. The database's files lie in memory (`--on-disk`: they do not): what a disk takes for a commit changes more
from second to second than the consoles could, and where it is waited for there is time for consoles. Windows without
and with consoles take turns on the same installation, in blocks of four (`benchmarks/paired_windows.py`). A console is
an open inbox: its event stream, as static/console.js follows it. Twice a second one of 200 orders of the inbox changes,
whoever looks, a quarter of them on the page that is shown.

`paced`: each device sends a message every so many seconds (`--every`). `saturated`: as many messages as go, after
`--fill` seconds in which the table of readings has outgrown the database's memory, on a machine that is also the desks
of all who look: what the process that reads the streams takes is `readers` among the `cores`. `ratio` is what was
committed and scored with consoles against without: mean, and the bounds of its 95 % interval. `ratio_per_core` is the
same for a second of one processor, of those that ingest, scoring, database, broker and load take: it says whether a
message became dearer. `lag_ms` is how far that was behind what was sent, at most; `cores` how many processors each
process kept busy; `api_database` are the API's connections within `database`.

`arrival_ms` is from before the commit to each of the streams, `rows_ms` the same for what the page is told to show.

The exit code is 1 unless the whole interval of `ratio` is at least 0.95 at the paced load (`--least-paced`) and 0.9 at
the saturated one (`--least-saturated`), each change reached every stream, and the p95 of the arrivals at the paced load
is less than a second. Too few blocks to tell are no proof, and exit with 1 as well.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from api.passwords import hash_secret, make_api_token, make_session_token
from api.sign_in import COOKIE
from benchmarks.ingest_rig import fresh_installation, module_command, running_server, temporary_place
from benchmarks.ingest_throughput import JsonChild, json_child
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from benchmarks.loaded_installation import LoadedInstallation, running_load
from benchmarks.paired_windows import Block, Window, find_cheapness_ratio, find_throughput_ratio, tell_sides
from benchmarks.process_memory import find_named_children, load_memory
from benchmarks.query_requests import running_api
from domain.roles import Role
from store.pool import Connection, open_connection
from store.sessions import record_session
from store.users import record_user

ARRIVAL_LIMIT_MS = 1_000.0
CHANGE_EVERY_S = 0.5
POLL_S = 0.05
LEAD_IN_S = 1.0
PATIENCE_S = 30.0
# A check-point or a new log file in one window and not in the next would say more than the consoles do.
UNDISTURBED = {"max_wal_size": "6GB", "checkpoint_timeout": "1h", "wal_init_zero": "off"}
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
Times = dict[str, list[float]]


@dataclass(slots=True)
class Changes:
    """Changes of orders, twice a second while anything is measured. `made` is when (seconds since 1970) each was about
    to be made."""

    conn: Connection
    api: int  # its process id
    made: dict[str, float] = field(default_factory=dict)
    most_mb: float = 0.0  # of the API
    next_at: float = 0.0

    def make(self, now: float) -> None:
        """One, if it is time."""
        if now < self.next_at:
            return
        self.next_at = now + CHANGE_EVERY_S
        began = time.time()  # the commit cannot have been earlier
        row = self.conn.execute(CHANGE_ORDER).fetchone()
        assert row is not None
        self.made[f"{row[0]}:{row[1]}"] = began
        self.most_mb = max(self.most_mb, load_memory([self.api]))


@dataclass(slots=True)
class Kind:
    """All blocks of one kind of load."""

    rate: float | None  # messages a second; None: as many as go
    least: float  # what has to be left of it beside the consoles
    blocks: list[Block] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # ms, of each change to each stream
    row_waits: list[float] = field(default_factory=list)
    changes: int = 0  # while consoles were open
    missing: int = 0

    def tell(self) -> dict[str, Any]:
        """Its figures."""
        return {
            "ratio": find_throughput_ratio(self.blocks).tell(),
            "ratio_per_core": find_cheapness_ratio(self.blocks).tell(),
            **tell_sides(self.blocks),
            "arrival_ms": find_quantiles(self.waits),
            "rows_ms": find_quantiles(self.row_waits),
            "changes": self.changes,
            "missing": self.missing,
        }

    def find_broken(self, name: str) -> list[str]:
        """What is beyond its limit, in words."""
        reason = find_throughput_ratio(self.blocks).judge(self.least)
        return [
            *([f"{name} ratio {reason}"] if reason else []),
            *([f"{name}: {self.missing} arrivals are missing"] if self.missing else []),
        ]


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=4.0, help="seconds between messages of one device, paced")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one window")
    parser.add_argument("--blocks", type=int, default=24, help="of four windows at saturation; a quarter of them paced")
    parser.add_argument("--fill", type=float, default=60.0, help="seconds at saturation before its first window")
    parser.add_argument("--on-disk", action="store_true", help="the database's files are not kept in memory")
    parser.add_argument("--least-paced", type=float, default=0.95, help="what has to be left of the paced load")
    parser.add_argument("--least-saturated", type=float, default=0.9, help="what has to be left of the saturated load")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        if not arguments.json:
            print(line, flush=True)

    with ExitStack() as stack:
        folder = stack.enter_context(temporary_place(in_memory=not arguments.on_disk))
        cluster = stack.enter_context(running_server(folder, **UNDISTURBED))
        installation = stack.enter_context(fresh_installation(cluster, folder, "consoles", arguments.devices))
        figures = measure(installation, arguments, say)
    print(json.dumps(figures))
    return 1 if figures["broken"] else 0


def measure(
    installation: BenchInstallation, arguments: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, Any]:
    """The figures, and under `broken` what is beyond its limit."""
    paced = Kind(arguments.devices / arguments.every, arguments.least_paced)
    saturated = Kind(None, arguments.least_saturated)
    with ExitStack() as stack:
        conn = stack.enter_context(open_connection(installation.database_url, application="bench", autocommit=True))
        cookie = _prepare(conn)
        port = stack.enter_context(running_api(installation.database_url))
        changes = Changes(conn, find_named_children(os.getpid(), {})["api"])
        loaded = stack.enter_context(running_load(installation, conn, arguments.devices))
        before_mb = load_memory([changes.api])
        for name, kind, count in (
            ("paced", paced, max(arguments.blocks // 4, 1)),
            ("saturated", saturated, arguments.blocks),
        ):
            loaded.settle()
            loaded.send(2.0 if kind is paced else arguments.fill, kind.rate)
            for _ in range(count):
                block = measure_block(loaded, changes, kind, port, cookie, arguments)
                kind.blocks.append(block)
                rates = [f"{one.msg_s:,.0f}" for one in (block.first, *block.beside, block.last)]
                say(f"{name}: without, with, with, without {arguments.streams} consoles: {', '.join(rates)} msg/s")
    return {
        "streams": arguments.streams,
        "devices": arguments.devices,
        "paced": paced.tell(),
        "saturated": saturated.tell(),
        "api_mb": {"before": round(before_mb, 1), "most": round(changes.most_mb, 1)},
        "broken": [*paced.find_broken("paced"), *saturated.find_broken("saturated"), *find_late(paced)],
    }


def measure_block(
    loaded: LoadedInstallation, changes: Changes, kind: Kind, port: int, cookie: str, arguments: argparse.Namespace
) -> Block:
    """Without, with, with, without; and what the consoles heard meanwhile."""

    def measure_window() -> Window:
        return loaded.measure(arguments.seconds, kind.rate, changes.make)

    def lead_in() -> None:
        # In the midst of the load, so that no window pays for what comes or goes.
        loaded.send(LEAD_IN_S, kind.rate, changes.make)

    lead_in()
    first = measure_window()
    with open_consoles(loaded.installation, port, cookie, arguments.streams) as consoles:
        changes.made.clear()
        lead_in()
        beside = measure_window(), measure_window()
        hear_all(kind, consoles, dict(changes.made), arguments.streams)
    lead_in()
    return Block(first, beside, measure_window())


def find_late(paced: Kind) -> list[str]:
    """That changes arrive too late, in words."""
    p95 = find_quantiles(paced.waits)["p95"]
    return [f"p95 of the arrivals {p95} ms"] if p95 >= ARRIVAL_LIMIT_MS else []


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
    kind.changes += len(changed)
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


def find_quantiles(values: list[float]) -> dict[str, float]:
    """Half of them are below p50, all but one in twenty below p95."""
    if len(values) < 2:
        return {"p50": 0.0, "p95": 0.0, "max": 0.0}
    cuts = quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "max": round(max(values), 1)}


if __name__ == "__main__":
    sys.exit(main())
