"""`forewarn profiles apply|list`."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from domain.audit import Actor
from domain.counting import say_count
from domain.profile import Profile
from domain.profile_decision import UndoneDecision, find_undone
from domain.profile_file import parse_profile
from domain.roles import Permission
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, print_json, print_table, say
from store.pool import Connection, open_connection
from store.profile_decisions import load_profile_decisions, record_kept_profile
from store.profiles import Applied, ProfileRow, count_safety_critical, load_profile, load_profile_rows, record_profile

BUNDLED = "bundled"  # who applied a profile that came with Forewarn
OPERATOR = Actor("cli", "operator", Permission.PROFILE_WRITE.value)
app = typer.Typer(
    help="Device-model profiles: sensors, thresholds, monitors and ticket policies.", no_args_is_help=True
)


@app.command("apply", epilog="Example: `forewarn profiles apply my-pump.yaml --dry-run`")
def apply(
    files: Annotated[
        list[Path] | None, typer.Argument(exists=True, dir_okay=False, help="Profile files (YAML).")
    ] = None,
    bundled: Annotated[bool, typer.Option("--bundled", help="Those that come with Forewarn.")] = False,
    reason: Annotated[
        str,
        typer.Option(
            help="Why, for the audit; needed for a safety-critical model with devices in service, and where it undoes "
            "what people decided."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check profile files and make them the current ones. All of them, or none.

    This is an operator's act, past the approval by two engineers that safety-critical models have: those go by
    `forewarn models propose`. A bundled profile takes the place of one that people made only where --reason says why.
    """
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
    good = [item for item in parsed if isinstance(item, Profile)]
    if dry_run:
        outcome = [_describe(profile, "valid") for profile in (load_bundled_profiles() if bundled else []) + good]
    else:
        with open_connection(find_database_url(load_settings()), application="profiles") as conn:
            outcome = _apply_bundled(conn, reason) if bundled else []
            for profile in good:
                undone = _load_undone(conn, profile)
                _check_reason(conn, profile, undone, reason)
                applied = record_profile(conn, profile, "cli", actor=OPERATOR, reason=reason, undone=undone)
                outcome.append(_describe(profile, applied))
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
    """Every bundled profile is applied, unless its model has a newer version by now, or people made the current one (an
    accepted threshold, a profile of their own): that one is kept, which is said and audited. Returns those applied
    anew."""
    return [str(row["model"]) for row in _apply_bundled(conn) if row["outcome"] == Applied.NEW]


def _apply_bundled(conn: Connection, reason: str = "") -> list[dict[str, object]]:
    """With a reason also those that take the place of what people made: an operator's act, audited as such."""
    current = {row.model: row for row in load_profile_rows(conn) if row.is_current}
    outcome = []
    for profile in load_bundled_profiles():
        known = current.get(profile.model)
        undone = _load_undone(conn, profile)
        is_theirs = known is not None and (known.applied_by != BUNDLED or bool(undone))
        applied = "kept"
        if known is None or (known.version <= profile.version and not is_theirs):
            applied = record_profile(conn, profile, BUNDLED)
        elif known.version < profile.version and reason.strip():
            applied = record_profile(conn, profile, BUNDLED, actor=OPERATOR, reason=reason, undone=undone)
        elif is_theirs:
            _keep(conn, profile, known, undone)
        outcome.append(_describe(profile, applied))
    return outcome


def _keep(conn: Connection, bundled: Profile, known: ProfileRow, undone: Sequence[UndoneDecision]) -> None:
    """Leaves the profile that people made; where the bundled one says something else, that is said and audited."""
    current = load_profile(conn, bundled.model)
    if current is None or replace(bundled, version=current.version) == current:
        return
    record_kept_profile(conn, Actor(BUNDLED, "", Permission.PROFILE_WRITE.value), current, bundled)
    lost = f" and would undo {', '.join(str(one) for one in undone)}" if undone else ""
    ways = "propose it by `forewarn models propose`"
    if bundled.version > known.version:
        ways += ", or apply it by `forewarn profiles apply --bundled --reason ...`"
    say(
        f"  {bundled.model}: version {known.version}, made by {known.applied_by}, is kept; the bundled version "
        f"{bundled.version} is another{lost}. To have it, {ways}."
    )


def _load_undone(conn: Connection, profile: Profile) -> list[UndoneDecision]:
    current = load_profile(conn, profile.model)
    return [] if current is None else find_undone(load_profile_decisions(conn, profile.model), current, profile)


def _check_reason(conn: Connection, profile: Profile, undone: Sequence[UndoneDecision], reason: str) -> None:
    if reason.strip():
        return
    if undone:
        raise typer.BadParameter(
            f"is missing: {profile.model} version {profile.version} undoes what people decided: "
            f"{', '.join(str(one) for one in undone)}. Take it over into the file, or say why it goes",
            param_hint="--reason",
        )
    devices = count_safety_critical(conn, profile.model)
    if devices and load_profile(conn, profile.model) != profile:
        raise typer.BadParameter(
            f"is missing: {profile.model} is safety-critical and "
            f"{say_count(devices, 'device of it is', 'devices of it are')} in service. Two "
            "engineers approve a change by `forewarn models propose`; to apply it past them say why",
            param_hint="--reason",
        )


def _describe(profile: Profile, outcome: str) -> dict[str, object]:
    return {"model": profile.model, "version": profile.version, "outcome": outcome}
