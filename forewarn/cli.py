"""The command `forewarn`: every command with its group, and the one place where an error becomes an exit code."""

import sys
from io import TextIOWrapper

import typer

from domain.errors import ForewarnError
from forewarn.commands import (
    accounts,
    audit,
    certificates,
    config,
    database,
    device_accounts,
    devices,
    doctor,
    installation,
    models,
    profiles,
    programs,
    rul,
    score,
    simulate,
    tokens,
)
from forewarn.terminal import ExitCode, describe_error, find_exit_code, say
from store.pool import DATABASE_GONE

EPILOGUE = (
    "Exit codes: 0 done, 1 refused or something found wrong, 2 wrong command line, 3 wrong setting, "
    "4 database or broker unreachable, 5 port or folder in use, 130 interrupted. "
    "Settings: `forewarn config`. Example: `forewarn demo`."
)

app = typer.Typer(
    name="forewarn",
    help="IoT telemetry and predictive maintenance for makers of medical devices.",
    epilog=EPILOGUE,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
installation.register(app)
programs.register(app)
database.register(app)
doctor.register(app)
score.register(app)
config.register(app)
device_accounts.register(devices.app)
app.add_typer(profiles.app, name="profiles")
app.add_typer(devices.app, name="devices")
app.add_typer(models.app, name="models")
app.add_typer(accounts.app, name="users")
app.add_typer(tokens.app, name="tokens")
app.add_typer(simulate.app, name="simulate")
app.add_typer(certificates.app, name="certificates")
app.add_typer(audit.app, name="audit")
app.add_typer(rul.app, name="rul")


def main() -> None:
    """Runs the command line and ends the process with its exit code; an error is one message, not a trace."""
    # Names of devices and people may hold any character; a machine with LANG=C must not stop at them.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output, such as `head`, has what it wanted
        sys.exit(ExitCode.DONE)
    except (ForewarnError, FileNotFoundError, PermissionError, *DATABASE_GONE) as problem:
        say(f"forewarn: {describe_error(problem)}")
        sys.exit(find_exit_code(problem))
