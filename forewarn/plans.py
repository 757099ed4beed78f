"""How each child of an installation is started and when it counts as ready."""

import http.client
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.errors import ConfigurationError
from forewarn.broker_gate import GateSettings
from forewarn.child_process import spawn
from forewarn.connections import find_account_file, find_database_url
from forewarn.embedded_broker import HOST as BROKER_HOST
from forewarn.embedded_broker import MAX_PAYLOAD, spawn_broker, write_configuration, write_gate
from forewarn.embedded_postgres import STOP_SIGNAL, Cluster, clear_way, spawn_server
from forewarn.ports import is_listening
from forewarn.program_settings import PROGRAMS
from forewarn.settings import Settings
from forewarn.supervisor import Plan
from store.heartbeats import load_heartbeats
from store.pool import DATABASE_GONE, open_connection

EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared with, not bound
LONGEST_TOPIC = 1 << 16
PROGRAM_STOP_S = 20.0  # a drain: what was received is stored and acknowledged
FLEET_STOP_S = 10.0
DATABASE_STOP_S = 60.0  # a checkpoint of all that is not yet written


def plan_database(settings: Settings, cluster: Cluster) -> Plan:
    """The embedded PostgreSQL; crash recovery may take its time."""
    log = find_log(settings, "postgres")
    chosen = settings.database_buffers_mib
    overrides = {} if chosen is None else {"shared_buffers": f"{chosen}MB"}

    def start() -> subprocess.Popen[bytes]:
        clear_way(cluster)
        return spawn_server(cluster, log, **overrides)

    return Plan(
        "database",
        start,
        cluster.is_ready,
        log,
        stop_signal=STOP_SIGNAL,
        stop_timeout_s=DATABASE_STOP_S,
        ready_timeout_s=300.0,
    )


def plan_broker(settings: Settings) -> Plan:
    """The embedded MQTT broker."""
    log = find_log(settings, "broker")
    configuration = settings.var / "broker.toml"
    write_configuration(configuration, port=settings.mqtt_port, buffer_mib=settings.broker_buffer_mib)
    gate = _write_gate(settings)
    ports = [(BROKER_HOST, settings.mqtt_port)]
    if settings.broker_gate is not None:
        host, port = find_gate(settings.broker_gate)
        ports.append((BROKER_HOST if host == EVERYWHERE else host, port))
    return Plan(
        "broker",
        lambda: spawn_broker(configuration, log, gate),
        lambda: all(is_listening(host, port, timeout_s=0.2) for host, port in ports),
        log,
        stop_timeout_s=5.0,
    )


def find_gate(gate: str) -> tuple[str, int]:
    """Address and port of FOREWARN_BROKER_GATE.

    Raises
    ------
    ConfigurationError
        There is no such port.
    """
    host, _, port = gate.rpartition(":")
    if not 1 <= int(port) <= 65_535:
        raise ConfigurationError(f"FOREWARN_BROKER_GATE: there is no port {port}.")
    return host, int(port)


def _write_gate(settings: Settings) -> Path | None:
    if settings.broker_gate is None:
        return None
    host, port = find_gate(settings.broker_gate)
    cert_file, key_file = settings.broker_cert_file, settings.broker_key_file
    if (cert_file is None) != (key_file is None):
        raise ConfigurationError("FOREWARN_BROKER_CERT_FILE and FOREWARN_BROKER_KEY_FILE go together.")
    path = settings.var / "broker-gate.json"
    gate = GateSettings(
        host=host,
        port=port,
        broker_port=settings.mqtt_port,
        accounts=find_account_file(settings),
        packet_limit=MAX_PAYLOAD + LONGEST_TOPIC,
        cert_file=None if cert_file is None else str(cert_file.resolve()),
        key_file=None if key_file is None else str(key_file.resolve()),
    )
    write_gate(path, gate)
    return path


def plan_program(settings: Settings, name: str) -> Plan:
    """One of the programs: ready when its heartbeat of this start is in the database, and besides that `api`
    answers and `ingest` is connected to its broker."""
    log = find_log(settings, name)
    since = datetime.now(UTC) - timedelta(seconds=1)
    url = find_database_url(settings)
    names = (name, PROGRAMS[name].section)

    def is_ready() -> bool:
        if name == "api" and not answers(settings):
            return False
        try:
            with open_connection(url, application="supervisor", autocommit=True) as conn:
                beats = load_heartbeats(conn)
        except DATABASE_GONE:
            return False
        # A message that is published before ingest has its session at the broker would be nobody's.
        return any(
            beat.program in names and beat.started_at >= since and beat.details.get("broker_connected", True)
            for beat in beats
        )

    return Plan(name, lambda: _spawn_command(settings, [name], log), is_ready, log, stop_timeout_s=PROGRAM_STOP_S)


def plan_fleet(settings: Settings, devices: int) -> Plan:
    """The simulated fleet; it needs no readiness, it connects when it can."""
    log = find_log(settings, "fleet")
    command = ["simulate", "fleet", "--devices", str(devices), "--state-dir", str(settings.var.resolve() / "fleet")]
    return Plan("fleet", lambda: _spawn_command(settings, command, log), lambda: True, log, stop_timeout_s=FLEET_STOP_S)


def find_log(settings: Settings, name: str) -> Path:
    """Where a child's output goes."""
    return settings.var / "log" / f"{name}.log"


def find_address(settings: Settings) -> str:
    """What to type into a browser on this machine."""
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::", "") else settings.http_host  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"


def answers(settings: Settings) -> bool:
    """The API serves requests."""
    connection = http.client.HTTPConnection(find_address(settings).removeprefix("http://"), timeout=2)
    try:
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spawn_command(settings: Settings, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    # -P: a folder `api` or `store` where the user happens to stand must not be taken for ours.
    command = [sys.executable, "-P", "-m", "forewarn", *arguments]
    return spawn(command, log=log, env=settings.environment())
