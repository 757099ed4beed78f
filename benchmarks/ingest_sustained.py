"""How fast ingest stays while a day fills: the index of its readings outgrows one cache after another.

    python -m benchmarks.ingest_sustained [--devices 10000] [--rows 12] [--buffers 256] [--json]

An embedded PostgreSQL with fsync, a broker, `ingest` and `anomaly` as processes, and as many single-device messages of
5 values as go, until the day's partition holds so many million readings (`--rows`). `windows` has, for each five
seconds, how many millions were there at its end, the messages a second, the processor's time that the database took for
a message (µs) and how much of its log it wrote (bytes). `first` and `last` are the medians of the windows within the
first and the last quarter of the readings, `ratio` is last against first. `--buffers` is the memory (MiB) in which the
database keeps pages; without it what an installation on this machine gets.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from statistics import median

from benchmarks.ingest_rig import fresh_installation, running_server, temporary_place
from benchmarks.loaded_installation import running_load
from forewarn.machine_memory import find_buffers_mib, load_memory_mib
from store.pool import Connection, open_connection

WINDOW_S = 5.0
MILLION = 1_000_000
LOAD_LOG_POSITION = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rows", type=float, default=12.0, help="millions of readings, at which it ends")
    parser.add_argument("--buffers", type=int, default=None, help="MiB")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    buffers = arguments.buffers or find_buffers_mib(load_memory_mib())
    windows: list[dict[str, float]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_place())
        cluster = stack.enter_context(running_server(folder, shared_buffers=f"{buffers}MB"))
        installation = stack.enter_context(fresh_installation(cluster, folder, "sustained", arguments.devices))
        conn = stack.enter_context(open_connection(installation.database_url, application="bench", autocommit=True))
        loaded = stack.enter_context(running_load(installation, conn, arguments.devices))
        while not windows or windows[-1]["millions"] < arguments.rows:
            log_before = _load_log_position(conn)
            window = loaded.measure(WINDOW_S)
            written = _load_log_position(conn) - log_before
            windows.append(
                {
                    "millions": round(loaded.count_stored() / MILLION, 2),
                    "msg_s": round(window.msg_s),
                    "database_us": round(window.cores["database"] / window.msg_s * 1e6, 1),
                    "log_bytes": round(written / (window.msg_s * WINDOW_S)),
                }
            )
            if not arguments.json:
                print("{millions:6.2f} million: {msg_s:6.0f} msg/s".format(**windows[-1]), flush=True)
    first = median(one["msg_s"] for one in windows if one["millions"] <= arguments.rows / 4)
    last = median(one["msg_s"] for one in windows if one["millions"] >= arguments.rows * 3 / 4)
    figures = {"devices": arguments.devices, "buffers_mib": buffers, "first": first, "last": last}
    print(json.dumps(figures | {"ratio": round(last / first, 3), "windows": windows}))
    return 0


def _load_log_position(conn: Connection) -> int:
    row = conn.execute(LOAD_LOG_POSITION).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    sys.exit(main())
