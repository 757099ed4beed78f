"""`forewarn config` and `forewarn version`."""

import importlib.metadata
import os
import platform
from typing import Any

import typer

from forewarn.commands.options import Json
from forewarn.program_settings import PROGRAMS, find_settings, find_unknown_variables, load_program_settings
from forewarn.settings import (
    MASK,
    Settings,
    find_file,
    find_source,
    load_file,
    load_settings,
    mask_secrets,
    variable_of,
)
from forewarn.terminal import out, print_json, print_table, say

EXAMPLE = "Example: `FOREWARN_HTTP_PORT=8080 forewarn config`"


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("config", epilog=EXAMPLE)(show_config)
    app.command("version", epilog="Example: `forewarn version --json`")(show_version)


def show_config(
    every: bool = typer.Option(False, "--all", help="Also the fine settings of each program."), as_json: Json = False
) -> None:
    """Print every setting with its value, where that comes from, and what it is for. Secrets are masked."""
    settings = load_settings()
    rows = find_rows(settings) + (find_program_rows(settings) if every else [])
    unknown = find_unknown_variables()
    if as_json:
        print_json({"settings": rows, "file": str(find_file() or ""), "unknown_variables": unknown})
        return
    print_table(
        ["setting", "value", "from", "meaning"],
        [(row["variable"], row["value"] or "-", row["source"], row["meaning"]) for row in rows],
        empty="",
    )
    for name in unknown:
        say(f"{name} is set, but there is no such setting.")


def show_version(as_json: Json = False) -> None:
    """Print the version."""
    version = importlib.metadata.version("forewarn")
    if as_json:
        print_json({"forewarn": version, "python": platform.python_version(), "platform": platform.platform()})
    else:
        out.print(f"forewarn {version} (Python {platform.python_version()})")


def find_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row for each setting of the house."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        rows.append(
            {
                "variable": variable_of(name),
                "value": "" if value is None else mask_secrets(value),
                "source": find_source(settings, name),
                "meaning": field.description or "",
            }
        )
    return rows


def find_program_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row for each fine setting of each program, as the program would run with it."""
    rows = []
    if settings.database_url is None:
        # Wired into each program and in none of these rows: before the first start there is none to be found.
        settings = settings.model_copy(update={"database_url": "postgresql://"})
    for name, program in PROGRAMS.items():
        in_file = load_file().get(program.section, {})
        effective = load_program_settings(program, settings)
        for setting in find_settings(program.load_class(), program.section):
            value: Any = effective
            table: Any = in_file
            for part in setting.path[1:]:
                value = getattr(value, part)
                table = table.get(part) if isinstance(table, dict) else None
            if os.environ.get(setting.variable):
                source = f"environment {setting.variable}"
            else:
                source = f"file {find_file()}" if table is not None else "default"
            shown = "" if value is None else MASK if setting.is_secret else mask_secrets(value)
            rows.append(
                {"variable": setting.variable, "value": shown, "source": source, "meaning": f"see {name}'s settings"}
            )
    return rows
