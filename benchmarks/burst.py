"""Ten times the sustained rate for a minute: everything arrives, and no process grows without bound.

    python -m benchmarks.burst [--json] [--sustained 1000] [--factor 10] [--seconds 60]

Mosquitto (the embedded broker where it is not installed), an embedded PostgreSQL, `ingest` and `anomaly` as processes.
A load generator sends `--sustained` messages a second, then `--factor` times as many for `--seconds`, then as before.
What the machine cannot take at once waits with the broker. Printed is, second by second, what waits and how many MiB
each process holds (a page that several share counts in equal parts), and at the end whether all that the broker had
acknowledged is stored: received = stored + duplicates + conflicts + rejected, in total and by device.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.ingest_rig import fresh_installation, running_server
from benchmarks.ingest_throughput import JsonChild, allow, count_done, paced_load, wait_until_it_flows
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from benchmarks.process_memory import find_named_children, sampled_memory
from store.device_days import load_device_days
from store.ledger import LedgerEntry, load_ledger
from store.pool import Connection, open_connection

PACE_S = 0.01
CALM_S = 10.0
DRAIN_S = 600.0


def main() -> int:
    """Prints the curve and, as the last line, one JSON object; 1 when anything is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--sustained", type=float, default=1_000.0, help="messages a second before and after")
    parser.add_argument("--factor", type=float, default=10.0, help="how many times as many in the burst")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the burst")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forewarn-bench-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs under another account
        cluster = stack.enter_context(running_server(folder))
        installation = stack.enter_context(fresh_installation(cluster, folder, "burst"))
        result = _measure(installation, given.sustained, given.factor, given.seconds, given.json)
    print(json.dumps(result))
    return 0 if result["missing"] == 0 else 1


def _measure(
    installation: BenchInstallation, sustained: float, factor: float, seconds: float, is_quiet: bool
) -> dict[str, Any]:
    with (
        installation.running(["ingest", "anomaly"]),
        open_connection(installation.database_url, application="benchmark", autocommit=True) as conn,
        paced_load(installation, gateways=False) as load,
    ):
        per_message = int(load.latest["values_per_message"])
        lost = wait_until_it_flows(installation, load, lambda: count_done(conn))
        done = [0]

        def note() -> dict[str, float]:
            done[0] = lost + count_done(conn) // per_message
            return {"sent": int(load.latest["sent"]), "waiting": int(load.latest["sent"]) - done[0]}

        children = find_named_children(os.getpid(), {"mosquitto": "broker", "broker": "broker", "postgres": "postgres"})
        with sampled_memory(children, 1.0, note) as rows:
            _pace(load, sustained, CALM_S)
            begin, before = time.monotonic(), int(load.latest["sent"])
            _pace(load, sustained * factor, seconds)
            sent, took_s = int(load.latest["sent"]) - before, time.monotonic() - begin
            calm_rows = len(rows)
            _pace(load, sustained, CALM_S, until=lambda: rows[-1]["waiting"] < sustained)
            _wait_until_done(installation, load, conn, lost, per_message)
        drained_s = time.monotonic() - begin - took_s
        published = int(load.latest["sent"]) - lost
        ledger = _check_ledger(conn)
    if not is_quiet:
        for second, row in enumerate(rows):
            print(f"{second:4} s  " + "  ".join(f"{name} {value:,.0f}" for name, value in row.items()))
    return {
        "sustained_msg_s": sustained,
        "burst_msg_s": round(sent / took_s, 1),
        "seconds": round(took_s, 1),
        "published": published,
        "missing": published - ledger.stored // per_message,
        "duplicates": ledger.duplicates,
        "most_waiting": int(max(row["waiting"] for row in rows)),
        "drained_s": round(drained_s, 1),
        "memory_mib": {
            name: {
                "before": rows[int(CALM_S) - 2][name],
                "most": max(row[name] for row in rows),
                "after": rows[-1][name],
            }
            for name in children
        },
        "samples": len(rows),
        "samples_in_burst": calm_rows - int(CALM_S),
    }


def _pace(load: JsonChild, rate: float, seconds: float, until: Callable[[], bool] = lambda: True) -> None:
    """Lets the load send at that rate for so long, and on until the condition holds."""
    begin, before = time.monotonic(), int(load.latest["sent"])
    while (elapsed := time.monotonic() - begin) < seconds or not until():
        if elapsed > DRAIN_S:
            raise BenchmarkFailedError(f"the backlog does not shrink: {load.latest}")
        allow(load, before + int(elapsed * rate))
        time.sleep(PACE_S)


def _wait_until_done(
    installation: BenchInstallation, load: JsonChild, conn: Connection, lost: int, per_message: int
) -> None:
    time.sleep(0.5)  # what it was allowed is sent by then
    sent = int(load.latest["sent"])
    installation.wait_until(
        lambda: int(load.latest["acknowledged"]) >= sent, "the broker to acknowledge everything", timeout_s=60
    )
    with open_connection(installation.database_url, application="benchmark", autocommit=True) as own:
        installation.wait_until(
            lambda: count_done(own) >= (sent - lost) * per_message, "all to be done", timeout_s=DRAIN_S
        )


def _check_ledger(conn: Connection) -> LedgerEntry:
    today = datetime.now(UTC).date()
    total = load_ledger(conn, today - timedelta(days=1), today)
    days = load_device_days(conn, today - timedelta(days=1), today)
    by_device = sum(day.stored for day in days), sum(day.received for day in days)
    if by_device != (total.stored, total.values_received):
        raise BenchmarkFailedError(f"the ledger does not add up: {by_device} by device, {total} in total")
    return total


if __name__ == "__main__":
    sys.exit(main())
