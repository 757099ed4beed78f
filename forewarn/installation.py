"""A whole installation on one machine: database, broker and programs in order, and an orderly end."""

from collections.abc import Callable
from pathlib import Path

from domain.counting import say_count
from forewarn.commands.profiles import apply_bundled_profiles
from forewarn.connections import find_database_url, find_owner_url
from forewarn.embedded_postgres import clear_way, load_cluster, prepare_cluster
from forewarn.installation_lock import InstallationLock
from forewarn.plans import find_gate, plan_broker, plan_database, plan_fleet, plan_program
from forewarn.ports import require_free_port
from forewarn.program_settings import PROGRAMS, verify_program_settings
from forewarn.settings import Settings
from forewarn.sign_ins import SignIn, make_demo_sign_ins, make_first_admin
from forewarn.supervisor import StopRequestedError, Supervisor
from forewarn.terminal import say, step
from store.installed_base import record_installed_base
from store.migrate import migrate
from store.pool import open_connection


def run_installation(settings: Settings, *, fleet_devices: int | None, welcome: Callable[[list[SignIn]], None]) -> None:
    """Starts everything, calls `welcome` when the console answers, and keeps it running until Ctrl-C or SIGTERM.

    `fleet_devices` is the size of the simulated fleet; None: no fleet. On return no child is left.

    Raises
    ------
    PortTakenError, AlreadyRunningError, ConfigurationError, ChildFailedError
        The start was given up; what had been started is stopped.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    with InstallationLock(settings.var):
        require_free_port(settings.http_host, settings.http_port, "FOREWARN_HTTP_PORT")
        if settings.mqtt_url is None:
            require_free_port("127.0.0.1", settings.mqtt_port, "FOREWARN_MQTT_PORT")
            if settings.broker_gate is not None:
                require_free_port(*find_gate(settings.broker_gate), "FOREWARN_BROKER_GATE")
        supervisor = Supervisor(say)
        supervisor.listen_for_signals()
        try:
            _start(supervisor, settings, fleet_devices, welcome)
            supervisor.watch()
        except StopRequestedError:
            say("The start was called off.")
        finally:
            supervisor.stop_all()


def _start(
    supervisor: Supervisor, settings: Settings, fleet_devices: int | None, welcome: Callable[[list[SignIn]], None]
) -> None:
    if settings.database_url is None:
        _start_database(supervisor, settings)
    with step("Migrations"):
        migrate(find_owner_url(settings))
    for program in PROGRAMS.values():
        verify_program_settings(program, settings)  # a wrong setting stops the start here, in words
    with step("Device-model profiles"), open_connection(find_database_url(settings), application="start") as conn:
        apply_bundled_profiles(conn)
    sign_ins = _make_sign_ins(settings, fleet_devices)
    if settings.mqtt_url is None:
        with step(f"MQTT broker on 127.0.0.1:{settings.mqtt_port}"):
            supervisor.start(plan_broker(settings))
    for name in PROGRAMS:
        with step(f"Program {name}"):
            supervisor.start(plan_program(settings, name))
    if fleet_devices is not None:
        with step(f"Simulated fleet of {say_count(fleet_devices, 'device')}"):
            supervisor.start(plan_fleet(settings, fleet_devices))
    welcome(sign_ins)


def _start_database(supervisor: Supervisor, settings: Settings) -> None:
    known = load_cluster(settings.var)
    with step("Database" if known is not None else "Database (the first start initialises it)"):
        if known is not None:
            clear_way(known)
        cluster = prepare_cluster(settings.var)
        supervisor.start(plan_database(settings, cluster))
    _report_place(settings.var, cluster.home)


def _report_place(var: Path, home: Path) -> None:
    if home.parent != var.resolve():
        say(
            f"  The data are in {home}: PostgreSQL does not run as root, "
            f"and its own account cannot enter {var.resolve()}."
        )


def _make_sign_ins(settings: Settings, fleet_devices: int | None) -> list[SignIn]:
    with open_connection(find_database_url(settings), application="start") as conn:
        if fleet_devices is None:
            admin = make_first_admin(conn)
            return [admin] if admin is not None else []
        with step("Customers, sites and devices of the simulated fleet"):
            from simulators.fleet_plan import installed_base
            from simulators.settings import FleetSettings

            base = installed_base(FleetSettings(mqtt_url="", state_dir=settings.var / "fleet", devices=fleet_devices))
            record_installed_base(conn, base.devices, actor="demo", role="admin")
        with step("Accounts"):
            return make_demo_sign_ins(conn, settings.var)
