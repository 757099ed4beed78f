"""`forewarn profiles apply|list`."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from domain.profile import Profile
from domain.profile_file import parse_profile
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, print_json, print_table, say
from store.pool import Connection, open_connection
from store.profiles import Applied, load_profile_rows, record_profile

app = typer.Typer(
    help="Device-model profiles: sensors, thresholds, monitors and ticket policies.", no_args_is_help=True
)


@app.command("apply", epilog="Example: `forewarn profiles apply my-pump.yaml --dry-run`")
def apply(
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="Profile files (YAML).")
    ] = None,
    bundled: Annotated[bool, typer.Option("--bundled", help="Those that come with Forewarn.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check profile files and make them the current ones. All of them, or none."""
    if not files and not bundled:
        raise typer.BadParameter("name a profile file, or say --bundled")
    parsed = [parse_profile(file.read_text(encoding="utf-8", errors="replace"), str(file)) for file in files or []]
    problems = [problem for result in parsed if isinstance(result, list) for problem in result]
    if problems:
        if as_json:
            print_json({"applied": [], "problems": problems})
        for problem in problems:
            say(str(problem))
        raise typer.Exit(ExitCode.FAILED)
    good = (load_bundled_profiles() if bundled else []) + [item for item in parsed if isinstance(item, Profile)]
    if dry_run:
        outcome = [{"model": profile.model, "version": profile.version, "outcome": "valid"} for profile in good]
    else:
        with open_connection(find_database_url(load_settings()), application="profiles") as conn:
            outcome = [
                {
                    "model": profile.model,
                    "version": profile.version,
                    "outcome": record_profile(conn, profile, "cli").value,
                }
                for profile in good
            ]
    if as_json:
        print_json({"applied": outcome, "problems": []})
        return
    for row in outcome:
        say(f"{row['model']} version {row['version']}: {row['outcome']}")


@app.command("list", epilog="Example: `forewarn profiles list --json`")
def list_profiles(as_json: Json = False) -> None:
    """List every version that was ever applied."""
    with open_connection(find_database_url(load_settings()), application="profiles") as conn:
        rows = load_profile_rows(conn)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["model", "version", "current", "devices", "applied at", "by"],
        [(r.model, r.version, "yes" if r.is_current else "", r.device_count, r.applied_at, r.applied_by) for r in rows],
        empty="No profile is applied yet: `forewarn profiles apply FILE`.",
    )


def load_bundled_profiles() -> list[Profile]:
    """The profiles that come with Forewarn; they are valid, a test says so."""
    found = []
    for file in sorted(resources.files("profiles").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            profile = parse_profile(file.read_text(encoding="utf-8"), file.name)
            assert isinstance(profile, Profile), profile
            found.append(profile)
    return found


def apply_bundled_profiles(conn: Connection) -> list[str]:
    """Every bundled profile is applied, unless its model has a newer version by now, or one of that number that people
    made of it (an accepted threshold); returns those applied anew."""
    current = {row.model: row for row in load_profile_rows(conn) if row.is_current}
    applied = []
    for profile in load_bundled_profiles():
        known = current.get(profile.model)
        is_theirs = known is not None and known.version == profile.version and known.applied_by != "bundled"
        is_newer = known is not None and known.version > profile.version
        if not is_theirs and not is_newer and record_profile(conn, profile, "bundled") is Applied.NEW:
            applied.append(profile.model)
    return applied
