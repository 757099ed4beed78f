"""Recorded faults of a real pump, through the real broker into the running programs: when is each found, at what cost?

    FOREWARN_DATA=… python -m benchmarks.replay [--markdown] [--json]

Every file of $FOREWARN_DATA/skab is published by `simulators.replay` as a device of its own at a customer of its own,
with the bundled profile of the test bed. The recordings' labels are read here alone, after the fact.

Event time is the recording's own (a reading a second) and ends at the moment of publication; it is published as fast
as the broker acknowledges. So readings arrive up to the recording's length late, which they are not: `late_after_min`
of the profile is raised accordingly. With its 15 minutes, false tickets from the longer recordings would stay hidden.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks.installation import BenchInstallation, BenchmarkFailedError, bench_installation
from benchmarks.replay_table import BreachFound, FaultRow, Period, find_rows, find_summary, render_markdown
from domain.clock import from_micros
from domain.installed_base import InstalledDevice
from domain.profile import Profile
from domain.profile_file import parse_profile
from simulators.replay import ReplayReport, run_replay
from simulators.settings import ReplaySettings
from store.installed_base import record_installed_base
from store.pool import open_connection
from store.profiles import record_profile

PROGRAMS = ("ingest", "anomaly", "service-link")
LATE_AFTER_MIN = 24 * 60.0
SETTLE_S = 6.0  # monitors that look at the receiver's clock have had their say


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of one recording, by seconds after its first reading."""

    file: str
    path: Path
    rows: int
    seconds: float
    faults: list[tuple[float, float]]


LOAD_BREACHES = """
    SELECT b.raised_at, b.monitor, b.severity, b.count AS readings, w.code AS order,
        EXISTS (
            SELECT FROM ticket_decision x JOIN breach_transition t ON t.id = x.transition_id
            WHERE t.breach_id = b.id AND x.decision = 'OPENED'
        ) AS opened_it
    FROM breach b
    JOIN device d ON d.id = b.device_id
    LEFT JOIN work_order_breach l ON l.breach_id = b.id
    LEFT JOIN work_order w ON w.id = l.work_order_id
    WHERE d.serial = %s
    ORDER BY b.raised_at
"""
COUNT_ORDERS = "SELECT count(*) FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s"


def load_labels(folder: Path) -> list[Labelled]:
    """Every recording below the folder, with the runs of `anomaly` = 1."""
    found = [_read_labels(path, _name_file(folder, path)) for path in folder.rglob("*.csv*")]
    return sorted(found, key=lambda labelled: (labelled.path.parent.name, len(labelled.file), labelled.file))


def _name_file(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder)).removesuffix(".gz").removesuffix(".csv")


def _read_labels(path: Path, file: str) -> Labelled:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as text:
        rows = list(csv.DictReader(text, delimiter=";"))
    first = datetime.fromisoformat(rows[0]["datetime"])
    at = [(datetime.fromisoformat(row["datetime"]) - first).total_seconds() for row in rows]
    faults: list[tuple[float, float]] = []
    is_open = False
    for seconds, row in zip(at, rows, strict=True):
        # The recording without any fault has no label column.
        is_fault = float(row.get("anomaly") or 0) > 0
        if is_fault:
            faults = [*faults[:-1], (faults[-1][0], seconds)] if is_open else [*faults, (seconds, seconds)]
        is_open = is_fault
    return Labelled(file, path, len(rows), at[-1], faults)


def load_profile() -> Profile:
    """The bundled profile of the test bed, except that nothing counts as late (see the top of this file)."""
    source = resources.files("profiles").joinpath("skab_pump.yaml")
    profile = parse_profile(source.read_text("utf-8"), "skab_pump.yaml")
    assert isinstance(profile, Profile), profile
    return replace(profile, tickets=replace(profile.tickets, late_after_min=LATE_AFTER_MIN))


def register(installation: BenchInstallation, profile: Profile, count: int) -> list[str]:
    """One device for each recording, each at a customer of its own: what one does is nothing to another."""
    serials = [f"SKAB-{number:04d}" for number in range(1, count + 1)]
    devices = [
        InstalledDevice(
            serial=serial,
            model=profile.model,
            installed_on=date(2020, 1, 1),
            customer_ref=f"C-{serial}",
            customer_name=f"Laboratory of {serial}",
            customer_type="LAB",
            site_ref=f"S-{serial}",
            site_name="Test bed",
        )
        for serial in serials
    ]
    with open_connection(installation.database_url, application="benchmark") as conn:
        record_profile(conn, profile, "benchmark")
        report = record_installed_base(conn, devices, actor="benchmark", role="admin")
    assert not report.problems, report.problems
    return serials


def replay(installation: BenchInstallation, labelled: Labelled, serial: str) -> ReplayReport:
    """Publishes one recording; every row is acknowledged on return."""
    settings = ReplaySettings(
        mqtt_url=installation.mqtt_url, file=labelled.path, serial=serial, time="datetime", speed=None, start="now"
    )
    report = run_replay(settings, threading.Event())
    if report.acknowledged != labelled.rows:
        raise BenchmarkFailedError(f"{labelled.file}: {report.acknowledged} of {labelled.rows} rows acknowledged")
    return report


def find_file_rows(
    installation: BenchInstallation, labelled: Labelled, serial: str, report: ReplayReport
) -> list[FaultRow]:
    """The lines of the table for one recording that has been triaged."""
    # Devices speak in milliseconds.
    first = from_micros(report.first_us // 1000 * 1000)
    periods = [
        Period(first + timedelta(seconds=start), first + timedelta(seconds=end), start)
        for start, end in labelled.faults
    ]
    breaches = [BreachFound(**row) for row in installation.query(LOAD_BREACHES, serial)]
    rows = find_rows(labelled.file, first, periods, breaches)
    orders = installation.value(COUNT_ORDERS, serial)
    if orders != rows[0].tickets:
        raise BenchmarkFailedError(f"{labelled.file}: {orders} orders, but breaches of {rows[0].tickets}")
    return rows


def run(data: Path) -> tuple[list[FaultRow], dict[str, Any]]:
    """Replays every recording and compares what was found with the labels."""
    recordings = load_labels(data / "skab")
    if not recordings:
        raise BenchmarkFailedError(f"there is no recording below {data / 'skab'}")
    with bench_installation() as installation:
        serials = register(installation, load_profile(), len(recordings))
        with installation.running(PROGRAMS):
            installation.wait_until(
                lambda: installation.value("SELECT count(DISTINCT program) FROM heartbeat") == len(PROGRAMS),
                "the programs' signs of life",
            )
            started = time.monotonic()
            reports, values = [], 0
            for labelled, serial in zip(recordings, serials, strict=True):
                reports.append(replay(installation, labelled, serial))
                values += reports[-1].values
                say(f"{labelled.file}: {labelled.rows} rows")
                installation.wait_until_triaged(readings=values)
            seconds = time.monotonic() - started
            time.sleep(SETTLE_S)
            installation.wait_until_triaged(readings=values)
        rows = [
            row
            for labelled, serial, report in zip(recordings, serials, reports, strict=True)
            for row in find_file_rows(installation, labelled, serial, report)
        ]
        refused = installation.value("SELECT count(*) FROM rejection")
    normal_s = sum(r.seconds - sum(end - start for start, end in r.faults) for r in recordings)
    summary = find_summary(rows, normal_s / 3600)
    return rows, {
        "benchmark": "replay",
        "data": "skab",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "readings": values,
        "rejections": refused,
        "seconds": round(seconds, 1),
        **summary,
    }


def say(text: str) -> None:
    """A line of progress, not part of the result."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Prints the table and one JSON object as the last line; 1 if a fault that was found is not one order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="with every line of the table in the JSON object, too")
    options = parser.parse_args()
    data = os.environ.get("FOREWARN_DATA")
    if not data or not (Path(data) / "skab").is_dir():
        say("FOREWARN_DATA must name the folder that holds skab/ with the recordings; see docs/benchmarks.md")
        return 3
    try:
        rows, result = run(Path(data))
    except BenchmarkFailedError as problem:
        say(f"the benchmark failed: {problem}")
        return 1
    if options.markdown:
        print(render_markdown(rows))
    if options.json:
        result["rows"] = [asdict(row) for row in rows]
    print(json.dumps(result))
    if result["more_than_one_order"]:
        say(f"{result['more_than_one_order']} faults have more than one work order")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
