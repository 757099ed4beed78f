"""The command `forewarn`: every command with its group, and the one place where an error becomes an exit code."""

import sys
from collections.abc import Iterable
from importlib import import_module
from io import TextIOWrapper

import typer

from domain.errors import ForewarnError
from forewarn.terminal import ExitCode, describe_error, find_exit_code, say
from store.pool import DATABASE_GONE

EPILOGUE = (
    "Exit codes: 0 done, 1 refused or something found wrong, 2 wrong command line, 3 wrong setting, "
    "4 database or broker unreachable, 5 port or folder in use, 130 interrupted. "
    "Settings: `forewarn config`. Example: `forewarn demo`."
)
# Where each command stands, in the order of `--help`. A program that starts imports its own module alone: all of them
# together take twice as long.
MODULES = {
    "demo": "installation",
    "up": "installation",
    "ingest": "programs",
    "anomaly": "programs",
    "service-link": "programs",
    "lab": "programs",
    "api": "programs",
    "migrate": "database",
    "doctor": "doctor",
    "score": "score",
    "openapi": "openapi",
    "config": "config",
    "version": "config",
}
GROUPS = {
    "profiles": "profiles",
    "devices": "devices",
    "models": "models",
    "users": "accounts",
    "tokens": "tokens",
    "simulate": "simulate",
    "certificates": "certificates",
    "audit": "audit",
    "rul": "rul",
}


def build_app(words: Iterable[str] = (*MODULES, *GROUPS)) -> typer.Typer:
    """The command line with these commands and groups (those that share a module come together), by default all."""
    app = typer.Typer(
        name="forewarn",
        help="IoT telemetry and predictive maintenance for makers of medical devices.",
        epilog=EPILOGUE,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # With this, one command alone is still called by its name.
    app.callback()(_do_nothing)
    wanted = list(words)
    for module in dict.fromkeys(MODULES[word] for word in wanted if word in MODULES):
        import_module(f"forewarn.commands.{module}").register(app)
    for word in wanted:
        if word in GROUPS:
            app.add_typer(import_module(f"forewarn.commands.{GROUPS[word]}").app, name=word)
    return app


def _do_nothing() -> None:
    """Nothing is common to all commands."""


def main() -> None:
    """Runs the command line and ends the process with its exit code; an error is one message, not a trace."""
    # Names of devices and people may hold any character; a machine with LANG=C must not stop at them.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        app = build_app([word]) if word in MODULES or word in GROUPS else build_app()
        app()
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output, such as `head`, has what it wanted
        sys.exit(ExitCode.DONE)
    except (ForewarnError, FileNotFoundError, PermissionError, *DATABASE_GONE) as problem:
        say(f"forewarn: {describe_error(problem)}")
        sys.exit(find_exit_code(problem))
