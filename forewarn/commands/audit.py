"""`forewarn audit verify` and `forewarn audit files`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

from domain.counting import say_count
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, print_json, say
from store.attachment_files import find_damaged
from store.attachments import load_hashes
from store.audit import verify_chain
from store.pool import open_connection

REPORT_EVERY = 1000
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
        say(f"{say_count(report.checked, 'event')} checked: {verdict} (head {report.head_hash[:16]}…)")
    if not report.holds:
        raise typer.Exit(ExitCode.FAILED)


@app.command("files", epilog="Example: `forewarn audit files --json`")
def verify_files(as_json: Json = False) -> None:
    """Prove that every file of a work order is there and is what was stored. Exit code 1 if one is not."""
    settings = load_settings()
    folder = settings.attachments or settings.var / "attachments"
    with open_connection(find_database_url(settings), application="audit", autocommit=True) as conn:
        hashes = list(load_hashes(conn))
    damaged = []
    for place, (sha256, problem) in enumerate(find_problems(folder, hashes), start=1):
        if problem:
            damaged.append({"sha256": sha256, "problem": problem})
            say(f"{sha256}: {problem}")
        if place % REPORT_EVERY == 0 and not as_json:
            say(f"{place:,} of {say_count(len(hashes), 'file')} read")
    if as_json:
        print_json({"holds": not damaged, "checked": len(hashes), "folder": str(folder), "damaged": damaged})
    else:
        say(f"{say_count(len(hashes), 'file')} checked below {folder}: {len(damaged)} damaged or gone")
    if damaged:
        raise typer.Exit(ExitCode.FAILED)


def find_problems(folder: Path, hashes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(hash, what is wrong) of each file; nothing is wrong where the text is empty."""
    for sha256 in hashes:
        yield sha256, next((problem for _, problem in find_damaged(folder, [sha256])), "")
