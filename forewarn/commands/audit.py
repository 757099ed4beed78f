"""`forewarn audit verify`."""

import typer

from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, print_json, say
from store.audit import verify_chain
from store.pool import open_connection

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The audit trail."""


@app.command("verify", epilog="Example: `forewarn audit verify --json`")
def verify(as_json: Json = False) -> None:
    """Prove that no audit event was changed, removed, reordered or cut off. Exit code 1 if one was."""
    with open_connection(find_database_url(load_settings()), application="audit") as conn:
        report = verify_chain(conn)
    if as_json:
        print_json(
            {
                "holds": report.holds,
                "checked": report.checked,
                "head_seq": report.head_seq,
                "head_hash": report.head_hash,
                "problems": report.problems,
            }
        )
    else:
        for problem in report.problems:
            say(f"event {problem.seq}: {problem.kind}: {problem.detail}")
        verdict = "the chain holds" if report.holds else "THE CHAIN IS BROKEN"
        say(f"{report.checked} events checked: {verdict} (head {report.head_hash[:16]}…)")
    if not report.holds:
        raise typer.Exit(ExitCode.FAILED)
