"""`forewarn doctor`."""

from typing import Annotated

import typer

from forewarn.commands.options import DatabaseUrl, Json, MqttUrl
from forewarn.doctor import examine, examine_program
from forewarn.finding import Finding, State
from forewarn.program_settings import PROGRAMS
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, err, print_json

SIGNS = {State.GOOD: "[green]✓[/green]", State.NOTE: "[yellow]![/yellow]", State.BAD: "[red]✗[/red]"}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor", epilog="Example: `forewarn doctor --json`")(run_doctor)


def run_doctor(
    program: Annotated[str | None, typer.Option(help="Look at this program's sign of life alone, quickly.")] = None,
    database_url: DatabaseUrl = None,
    mqtt_url: MqttUrl = None,
    as_json: Json = False,
) -> None:
    """Say in plain words what is wrong with this installation, and what to do. Exit code 1 if anything is."""
    settings = load_settings(database_url=database_url, mqtt_url=mqtt_url)
    if program is not None and program not in PROGRAMS:
        raise typer.BadParameter(f"there is no program {program!r}: {', '.join(PROGRAMS)}")
    findings = examine(settings) if program is None else examine_program(settings, program)
    if as_json:
        print_json({"healthy": not _has_bad(findings), "findings": findings})
    else:
        for finding in findings:
            err.print(f"{SIGNS[finding.state]} {finding.subject}: ", end="")
            err.print(finding.detail, markup=False)
            if finding.advice:
                err.print(f"    {finding.advice}", markup=False)
    if _has_bad(findings):
        raise typer.Exit(ExitCode.FAILED)


def _has_bad(findings: list[Finding]) -> bool:
    return any(finding.state is State.BAD for finding in findings)
