"""What the ingest benchmark runs on: a database and a broker for each measurement, 2,000 registered devices."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGTERM

from benchmarks.installation import BenchInstallation, BenchmarkFailedError, find_free_port, is_listening
from domain.breach import BreachKind, Severity
from domain.installed_base import InstalledDevice
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text
from forewarn.child_process import end, spawn
from forewarn.embedded_broker import spawn_broker, write_configuration
from forewarn.embedded_postgres import APP, OWNER, STOP_SIGNAL, SUPERUSER, Cluster, prepare_cluster, start_server
from simulators.settings import LoadSettings
from store.installed_base import record_installed_base
from store.migrate import migrate
from store.pool import open_connection
from store.profiles import record_profile

PROBES = tuple(f"PROBE-{number:03d}" for number in range(80))
DEVICES = LoadSettings(mqtt_url="").devices
MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 12 << 30  # bytes
RAISE_AT_SPREADS = 40.0  # beyond what the load's noise ever reaches: a breach is the probe's own
MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
persistence false
log_type error
user {user}
"""


@contextmanager
def temporary_place(*, in_memory: bool = False) -> Iterator[Path]:
    """A folder for an installation, gone afterwards.

    Raises
    ------
    BenchmarkFailedError
        It shall be in memory, and there is no such file system or less room than a few minutes of load take.
    """
    if in_memory and (not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM_IN_MEMORY):
        raise BenchmarkFailedError(f"{MEMORY} has not {ROOM_IN_MEMORY >> 30} GiB to spare: run it on a disk")
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-", dir=MEMORY if in_memory else None) as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, PostgreSQL runs under another account
        yield folder


@contextmanager
def running_server(folder: Path, **settings: str) -> Iterator[Cluster]:
    """An embedded PostgreSQL with the settings of the product, fsync and synchronous commit on, but for `settings`."""
    cluster = prepare_cluster(folder)
    server = start_server(cluster, folder / "postgres.log", timeout_s=120.0, **settings)
    try:
        yield cluster
    finally:
        end(server, with_signal=STOP_SIGNAL, timeout_s=60)


def find_mosquitto() -> str | None:
    """Where the broker of production is installed, if it is."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def fresh_installation(
    cluster: Cluster, folder: Path, name: str, devices: int = DEVICES
) -> Iterator[BenchInstallation]:
    """A database of its own with the fleet registered, and a broker of its own; both are gone afterwards."""
    with ExitStack() as stack:
        with open_connection(cluster.url(SUPERUSER, "postgres"), application="benchmark", autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "{name}" OWNER "{OWNER}"'.encode())
        migrate(cluster.url(OWNER, name))
        register_fleet(cluster.url(APP, name), devices)
        port = find_free_port()
        stack.callback(end, _start_broker(folder, port), with_signal=SIGTERM, timeout_s=10)
        installation = BenchInstallation(folder, cluster.url(APP, name), port)
        installation.wait_until(lambda: is_listening(port), "the broker to listen", timeout_s=30)
        yield installation
    with open_connection(cluster.url(SUPERUSER, "postgres"), application="benchmark", autocommit=True) as conn:
        conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        conn.execute("CHECKPOINT")  # what this measurement wrote is not left for the next one to wait for


def _start_broker(folder: Path, port: int) -> subprocess.Popen[bytes]:
    program = find_mosquitto()
    if program is None:
        write_configuration(folder / "broker.toml", port=port)
        return spawn_broker(folder / "broker.toml", folder / "broker.log")
    configuration = folder / "mosquitto.conf"
    configuration.write_text(MOSQUITTO.format(port=port, user=pwd.getpwuid(os.geteuid()).pw_name), "utf-8")
    return spawn([program, "-c", configuration], log=folder / "broker.log")


def register_fleet(database_url: str, devices: int = DEVICES) -> None:
    """The devices of the load generator, and the probes, all of one model with limits and an adaptive monitor each."""
    load = LoadSettings(mqtt_url="", devices=devices)
    serials = [load.serial_format.format(number + 1) for number in range(load.devices)]
    gateways = [load.gateway_format.format(i // load.devices_per_message + 1) for i in range(load.devices)]
    fleet = [
        *(InstalledDevice(serial, "BENCH", gateway=name) for serial, name in zip(serials, gateways, strict=True)),
        *(InstalledDevice(serial, "BENCH") for serial in PROBES),
    ]
    with open_connection(database_url, application="benchmark") as conn:
        record_profile(conn, make_profile(load), "benchmark")
        record_installed_base(conn, fleet, actor="benchmark", role="admin")


def make_profile(load: LoadSettings) -> Profile:
    """Every sensor of the load with a limit on both sides and the adaptive detector."""
    label = Text("bench", "bench")
    sensors = []
    monitors = []
    for key, centre, spread in zip(load.sensors, load.centre, load.spread, strict=True):
        reach = RAISE_AT_SPREADS * spread
        sensors.append(Sensor(key, label, "1", 3, centre - 1000.0 * spread, centre + 1000.0 * spread))
        monitors += [
            Monitor(
                f"{key}_{direction.value}",
                MonitorRule.LIMIT,
                BreachKind.LIMIT,
                Severity.MAJOR,
                "load",
                (key,),
                direction=direction,
                raise_at=centre + sign * reach,
                clear_at=centre + sign * reach / 2,
            )
            for direction, sign in ((Direction.HIGH, 1.0), (Direction.LOW, -1.0))
        ]
        monitors.append(
            Monitor(
                f"{key}_unusual",
                MonitorRule.ADAPTIVE,
                BreachKind.ANOMALY,
                Severity.MINOR,
                "load",
                (key,),
                direction=Direction.BOTH,
                raise_at=RAISE_AT_SPREADS,
                clear_at=RAISE_AT_SPREADS / 2,
                warmup=20,
            )
        )
    group = FaultGroup("load", label, label, label, label)
    return Profile("BENCH", 1, "Bench", label, "04012345678901", False, tuple(sensors), (group,), tuple(monitors))


def module_command(module: str, *arguments: str) -> Sequence[str]:
    """How to start a module of the benchmarks."""
    return (sys.executable, "-m", module, *arguments)
