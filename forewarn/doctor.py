"""What is wrong with an installation, in plain words: each part is looked at, each finding says what to do."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from domain.counting import say_count
from domain.errors import ConfigurationError, DatabaseNotMigratedError, ForewarnError
from forewarn.broker_checks import check_console, check_security
from forewarn.connections import find_database_url, find_mqtt_url
from forewarn.finding import Finding, State
from forewarn.installation_lock import AlreadyRunningError, InstallationLock
from forewarn.ports import PortTakenError, is_listening, require_free_port
from forewarn.program_settings import PROGRAMS, find_unknown_variables, verify_program_settings
from forewarn.settings import Settings, mask_secrets
from store.heartbeats import Heartbeat, find_standstills, load_heartbeats
from store.installation_health import Flow, load_flow
from store.migrate import load_flavour, verify_migrated
from store.pool import DATABASE_GONE, Connection, open_connection

OLDEST_PYTHON = (3, 11)
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this is wrong
LOW_DISK_BYTES = 2_000_000_000
EMPTY_DISK_BYTES = 300_000_000
SILENT_AFTER_S = 15.0  # programs say every two seconds that they live
CLOCK_TOLERANCE_S = 5.0
LONG_WAIT = timedelta(minutes=10)  # of an event for a webhook: more than the first three attempts take
STANDARD_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def examine(settings: Settings) -> list[Finding]:
    """Every finding, in the order in which parts depend on one another; it never raises for what it finds."""
    running = _is_running(settings.var)
    findings = [
        check_python(sys.version_info[:3]),
        check_clock(datetime.now(UTC)),
        check_disk(settings.var, shutil.disk_usage),
        *check_settings(settings),
        *_check_ports(settings, running),
        *_check_broker(settings, running),
        *check_console(settings, datetime.now(UTC)),
    ]
    return findings + list(_check_database(settings, running))


def examine_program(settings: Settings, name: str) -> list[Finding]:
    """Whether that program said within seconds that it lives: what a container's health check asks.

    Raises
    ------
    ConfigurationError
        No database is known. A database that is away is an exception too: the program cannot be well.
    """
    with open_connection(find_database_url(settings), application="doctor", autocommit=True) as conn:
        findings = check_heartbeats(load_heartbeats(conn), running=True)
        return [finding for finding in findings if finding.subject == f"Program {name}"]


def check_python(version: tuple[int, int, int]) -> Finding:
    """The interpreter is one that Forewarn supports."""
    shown = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        return Finding("Python", State.BAD, f"{shown} is too old", "Install Python 3.11 or newer and make .venv again.")
    return Finding("Python", State.GOOD, shown)


def check_clock(now: datetime) -> Finding:
    """The machine's clock is not before this version was made."""
    if now < RELEASED:
        return Finding(
            "Clock",
            State.BAD,
            f"it says {now:%Y-%m-%d %H:%M} UTC, which is before this version was made",
            "Set the clock (NTP): readings would be refused as coming from the future.",
        )
    return Finding("Clock", State.GOOD, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def check_disk(var: Path, usage: Callable[[Path], "shutil._ntuple_diskusage"]) -> Finding:
    """There is room where the embedded database writes."""
    folder = next(path for path in (var.resolve(), *var.resolve().parents) if path.exists())
    if not os.access(folder, os.W_OK):
        return Finding(
            "Disk", State.BAD, f"{folder} cannot be written to", "Give this user rights, or set FOREWARN_VAR."
        )
    free = usage(folder).free
    shown = f"{free / 1e9:.1f} GB free in {folder}"
    if free < EMPTY_DISK_BYTES:
        return Finding("Disk", State.BAD, shown, "Make room, or set FOREWARN_VAR to another disk: the database stops.")
    if free < LOW_DISK_BYTES:
        return Finding("Disk", State.NOTE, shown, "Make room soon, or set FOREWARN_VAR to another disk.")
    return Finding("Disk", State.GOOD, shown)


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Every setting can be used, and no variable only looks like one."""
    unknown = find_unknown_variables()
    for name in unknown:
        yield Finding("Settings", State.NOTE, f"{name} is set, but there is no such setting", "See `forewarn config`.")
    for name, program in PROGRAMS.items():
        try:
            verify_program_settings(program, settings)
        except ConfigurationError as problem:
            if settings.database_url is not None or "embedded database" not in str(problem):
                yield Finding("Settings", State.BAD, f"{name}: {problem}", "See `forewarn config --all`.")
                return
    if not unknown:
        yield Finding("Settings", State.GOOD, "all can be used")


def check_heartbeats(heartbeats: list[Heartbeat], *, running: bool) -> Iterator[Finding]:
    """Every program says that it lives."""
    for name, program in PROGRAMS.items():
        beats = [beat for beat in heartbeats if beat.program in (name, program.section)]
        fresh = [beat for beat in beats if beat.age_s <= SILENT_AFTER_S]
        subject = f"Program {name}"
        if fresh:
            since = max(beat.started_at for beat in fresh)
            yield Finding(subject, State.GOOD, f"{len(fresh)} running, since {since:%Y-%m-%d %H:%M:%S} UTC")
        elif beats:
            silence = timedelta(seconds=round(min(beat.age_s for beat in beats)))
            yield Finding(
                subject,
                State.BAD,
                f"silent for {silence}",
                f"See its log (log/{name}.log below FOREWARN_VAR); start it.",
            )
        else:
            state = State.BAD if running else State.NOTE
            yield Finding(subject, state, "not running", f"Start it: `forewarn up`, or `forewarn {name}`.")


def check_standstills(heartbeats: list[Heartbeat]) -> Iterator[Finding]:
    """What programs do beside their main path gets done."""
    for beat, stands in find_standstills(heartbeats):
        yield Finding(
            f"Program {beat.program}",
            State.BAD,
            f"{stands['what']}: nothing since {datetime.fromisoformat(stands['since']):%Y-%m-%d %H:%M:%S} UTC, "
            f"{stands['problem']}",
            f"See its log (log/{beat.program}.log below FOREWARN_VAR); nothing is lost, it is tried again.",
        )


def check_webhooks(flow: Flow) -> Iterator[Finding]:
    """Other systems are told of what happens; nothing where no webhook has anything to tell of."""
    if flow.webhooks_gone:
        yield Finding(
            "Webhooks",
            State.BAD,
            f"{flow.webhooks_gone} disabled: the receiver answered that it is gone (410)",
            "See /admin/webhooks: enable or retire them.",
        )
    if flow.deliveries_dead:
        yield Finding(
            "Webhooks",
            State.NOTE,
            f"{say_count(flow.deliveries_dead, 'event was', 'events were')} given up after the last attempt",
            "See /admin/webhooks: mend the receiver, and deliver them again.",
        )
    if flow.outbox_oldest_at is not None:
        waited = timedelta(seconds=round((flow.at - flow.outbox_oldest_at).total_seconds()))
        state = State.NOTE if waited > LONG_WAIT else State.GOOD
        advice = "See /admin/webhooks for what the receiver answers." if waited > LONG_WAIT else ""
        yield Finding(
            "Webhooks",
            state,
            f"{say_count(flow.outbox_waiting, 'event waits', 'events wait')}, the oldest for {waited}",
            advice,
        )


def check_database_clock(heartbeats: list[Heartbeat], now: datetime) -> Finding | None:
    """The database's clock agrees with this machine's; None where nothing shows it."""
    if not heartbeats:
        return None
    theirs = heartbeats[0].at + timedelta(seconds=heartbeats[0].age_s)
    apart = (theirs - now).total_seconds()
    if abs(apart) > CLOCK_TOLERANCE_S:
        return Finding("Database clock", State.BAD, f"{apart:+.0f} s from this machine's", "Set both by NTP.")
    return Finding("Database clock", State.GOOD, "agrees with this machine's")


def _is_running(var: Path) -> bool:
    if not (var / "forewarn.lock").exists():
        return False
    try:
        with InstallationLock(var):
            return False
    except AlreadyRunningError:
        return True


def _check_ports(settings: Settings, running: bool) -> Iterator[Finding]:
    wanted = [("Console port", settings.http_host, settings.http_port, "FOREWARN_HTTP_PORT")]
    if settings.mqtt_url is None:
        wanted.append(("Broker port", "127.0.0.1", settings.mqtt_port, "FOREWARN_MQTT_PORT"))
    for subject, host, port, setting in wanted:
        if running:
            if is_listening("127.0.0.1" if host in ("0.0.0.0", "::") else host, port):  # noqa: S104
                yield Finding(subject, State.GOOD, f"{port} answers")
            else:
                yield Finding(subject, State.BAD, f"{port} does not answer", "See the logs below FOREWARN_VAR.")
            continue
        try:
            require_free_port(host, port, setting)
            yield Finding(subject, State.GOOD, f"{port} is free")
        except PortTakenError as problem:
            yield Finding(subject, State.NOTE, problem.detail, "Unless that is Forewarn, started by other means.")


def _check_broker(settings: Settings, running: bool) -> Iterator[Finding]:
    if settings.mqtt_url is None and not running:
        yield Finding("Broker", State.NOTE, "the embedded one is not running", "Start it: `forewarn up`.")
        return
    url = find_mqtt_url(settings)
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or STANDARD_MQTT_PORTS[parts.scheme]
    if is_listening(host, port, timeout_s=3):
        yield Finding("Broker", State.GOOD, f"{mask_secrets(url)} accepts connections")
        yield from check_security(settings, datetime.now(UTC))
    else:
        yield Finding("Broker", State.BAD, f"nothing accepts connections at {host}:{port}", "Check FOREWARN_MQTT_URL.")


def _check_database(settings: Settings, running: bool) -> Iterator[Finding]:
    try:
        url = find_database_url(settings)
    except ConfigurationError as problem:
        yield Finding("Database", State.BAD if running else State.NOTE, problem.detail)
        return
    if settings.database_url is None and not running:
        yield Finding("Database", State.NOTE, "the embedded one is not running", "Start it: `forewarn up`.")
        return
    try:
        with open_connection(url, application="doctor", autocommit=True) as conn:
            yield from _look_into_database(conn, url, running)
    except DATABASE_GONE as problem:
        yield Finding(
            "Database",
            State.BAD,
            f"{mask_secrets(url)}: {' '.join(str(problem).split())}",
            "Check FOREWARN_DATABASE_URL.",
        )


def _look_into_database(conn: Connection, url: str, running: bool) -> Iterator[Finding]:
    try:
        verify_migrated(conn)
    except DatabaseNotMigratedError as problem:
        yield Finding("Database", State.BAD, str(problem), "Run `forewarn migrate`.")
        return
    except ForewarnError as problem:
        yield Finding("Database", State.BAD, str(problem))
        return
    yield Finding("Database", State.GOOD, f"{mask_secrets(url)}, up to date, {load_flavour(conn)}")
    heartbeats = load_heartbeats(conn)
    clock = check_database_clock(heartbeats, datetime.now(UTC))
    if clock is not None:
        yield clock
    yield from check_heartbeats(heartbeats, running=running)
    yield from check_standstills(heartbeats)
    yield from check_webhooks(load_flow(conn))
