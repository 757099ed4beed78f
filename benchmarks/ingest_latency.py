"""From the publication of a breaching reading to its work order, while a load runs beside it."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.ingest_rig import PROBES
from benchmarks.ingest_throughput import JsonChild, allow, count_done, paced_load, wait_until_it_flows
from benchmarks.installation import BenchInstallation, BenchmarkFailedError
from domain.broker_address import parse_broker_address
from domain.clock import from_micros
from simulators.puback_socket import PubackSocket, encode_publish_head
from simulators.settings import LoadSettings
from store.pool import Connection, open_connection

PACE_S = 0.01
SETTLE_S = 5.0
BETWEEN_S = 0.15
GIVE_UP_S = 30.0
COMMITS = 3  # probes of each device
FIND_ORDER = """
    SELECT EXISTS (SELECT FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s)
"""


IS_COMMITTED = """
    SELECT EXISTS (
        SELECT FROM reading r WHERE r.observed_at = %s AND r.series_id = (
            SELECT s.id FROM series s JOIN device d ON d.id = s.device_id WHERE d.serial = %s AND s.sensor = %s)
    )
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from just before the PUBLISH is written until a query finds what became of it: p50, p95, p99."""

    commit_ms: dict[str, float]  # the reading itself
    ticket_ms: dict[str, float]


def measure_latency(installation: BenchInstallation, rate: float) -> Latency:
    """Over all probes, each a device of its own, one after the other, at `rate` messages a second of load.

    Raises
    ------
    BenchmarkFailedError
        A probe became no ticket.
    """
    with (
        installation.running(["ingest", "anomaly", "service-link"]),
        paced_load(installation, gateways=False) as load,
        open_connection(installation.database_url, application="benchmark", autocommit=True) as conn,
    ):
        wait_until_it_flows(installation, load, lambda: count_done(conn))
        stop = threading.Event()
        pacer = threading.Thread(target=_pace, args=(load, rate, stop), daemon=True)
        pacer.start()
        try:
            time.sleep(SETTLE_S)
            commits_ms = [_probe(installation, conn, serial, 0.0) for _ in range(COMMITS) for serial in PROBES]
            tickets_ms = [_probe(installation, conn, serial, 100.0) for serial in PROBES]
        finally:
            stop.set()
            pacer.join()
    return Latency(_describe(commits_ms), _describe(tickets_ms))


def _describe(waits_ms: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(waits_ms, [50, 95, 99]).tolist()
    return {"p50": round(p50, 1), "p95": round(p95, 1), "p99": round(p99, 1)}


def _pace(load: JsonChild, rate: float, stop: threading.Event) -> None:
    begin, before = time.monotonic(), int(load.latest["sent"])
    while not stop.wait(PACE_S):
        allow(load, before + int((time.monotonic() - begin) * rate))


def _probe(installation: BenchInstallation, conn: Connection, serial: str, spreads: float) -> float:
    """How long it takes until the reading is stored or, if it breaches, has a work order."""
    load = LoadSettings(mqtt_url=installation.mqtt_url)
    socket = PubackSocket(parse_broker_address(installation.mqtt_url), f"probe-{serial}")
    values = dict(zip(load.sensors, load.centre, strict=True))
    values[load.sensors[0]] += spreads * load.spread[0]
    time_ms = time.time_ns() // 1_000_000
    payload = json.dumps({"ts": time_ms, "values": values}).encode()
    head = encode_publish_head(f"forewarn/v1/{serial}/telemetry", len(payload))
    begin = time.perf_counter()
    socket.send(head + b"\x00\x01" + payload)
    while not (_has_order(conn, serial) if spreads else _is_stored(conn, serial, load.sensors[0], time_ms)):
        if time.perf_counter() - begin > GIVE_UP_S:
            raise BenchmarkFailedError(f"{serial} is not stored, or no work order, after {GIVE_UP_S:g} s")
        time.sleep(0.002)
    taken_ms = (time.perf_counter() - begin) * 1000.0
    socket.close()
    time.sleep(BETWEEN_S)
    return taken_ms


def _is_stored(conn: Connection, serial: str, sensor: str, time_ms: int) -> bool:
    row = conn.execute(IS_COMMITTED, (from_micros(time_ms * 1000), serial, sensor)).fetchone()
    return row is not None and bool(row[0])


def _has_order(conn: Connection, serial: str) -> bool:
    row = conn.execute(FIND_ORDER, (serial,)).fetchone()
    return row is not None and bool(row[0])
