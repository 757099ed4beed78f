"""`forewarn ingest|anomaly|service-link|lab|api`: one program in the foreground, as in docker-compose."""

import threading
from collections.abc import Callable
from importlib import import_module

import typer

from forewarn.program_process import configure_logging, listen_for_stop, making_to_stay
from forewarn.program_settings import PROGRAMS, load_program_settings
from forewarn.settings import load_settings

HELP = {
    "ingest": "Take readings from the broker, check them, and store them; acknowledge what is on disk.",
    "anomaly": "Score what was stored, and say when a device departs from its limits or its own past.",
    "service-link": "Turn breaches into work orders and CAPA proposals.",
    "lab": "Simulate devices with the faults that people plant in the lab, and say which of them would be caught.",
    "api": "Serve the REST API, the event stream and the console.",
}


def register(app: typer.Typer) -> None:
    """Adds one command for each program."""
    for name in PROGRAMS:
        epilog = f"Example: `FOREWARN_DATABASE_URL=postgresql://… forewarn {name}`. Ends in order on SIGTERM or Ctrl-C."
        app.command(name, help=HELP[name], epilog=epilog)(_make_command(name))


def run_program(name: str) -> None:
    """Runs the program until it is told to stop."""
    stop = listen_for_stop()
    settings = load_settings()
    configure_logging(settings.log_level)
    program = PROGRAMS[name]
    program_settings = load_program_settings(program, settings)
    # Imported here: each program has its own heavy libraries, and only one of them runs in a process.
    with making_to_stay():
        run: Callable[[object, threading.Event], None] = import_module(f"{program.section}.program").run
    run(program_settings, stop)


def _make_command(name: str) -> Callable[[], None]:
    def command() -> None:
        run_program(name)

    return command
