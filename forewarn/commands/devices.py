"""`forewarn devices import|list`, and with them what `device_accounts` adds."""

import csv
import sys
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from domain.installed_base import parse_installed_base
from forewarn.commands import device_accounts
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, print_json, print_table, say
from store.installed_base import record_installed_base
from store.pool import open_connection
from store.registry import load_registry

app = typer.Typer(help="Devices with their customers and sites.", no_args_is_help=True)
device_accounts.register(app)


@app.command("import", epilog="Example: `forewarn devices import devices.csv --dry-run`")
def import_devices(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with at least serial and model; - is standard input."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would change and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring devices in from CSV: each is made where it is new and mended where it differs; safe to repeat.

    Columns: serial, model; lot, udi, made_on, installed_on, warranty_end, calibration_due, firmware, gateway,
    customer_ref, customer_name, customer_type, site_ref, site_name, site_time_zone, region, is_simulated.
    Lines with a problem are left out and reported; the exit code is then 1. Another UDI or owner of a known device is
    one: two people change those.
    """
    if str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"{file} is no file")
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    text = content.decode("utf-8-sig", "replace")
    devices, problems = parse_installed_base(text)
    line_of = find_lines(text)
    with open_connection(find_database_url(load_settings()), application="devices") as conn:
        report = record_installed_base(
            conn, devices, actor="cli", role="admin", lines=[line_of[device.serial] for device in devices]
        )
        if dry_run:
            conn.rollback()
    report.problems[:0] = problems
    if as_json:
        print_json(report)
    else:
        for problem in report.problems:
            say(str(problem))
        would = "would be " if dry_run else ""
        say(f"{report.created} {would}created, {report.changed} {would}changed, {report.unchanged} as they were")
    if report.problems:
        raise typer.Exit(ExitCode.FAILED)


@app.command("list", epilog="Example: `forewarn devices list --model INF-200`")
def list_devices(
    model: Annotated[str | None, typer.Option(help="Only this device model.")] = None, as_json: Json = False
) -> None:
    """List the registered devices."""
    with open_connection(find_database_url(load_settings()), application="devices") as conn:
        registry = load_registry(conn)
    devices = sorted(registry.devices.values(), key=lambda device: device.serial)
    rows = [
        {"serial": d.serial, "model": d.model, "lifecycle": d.lifecycle, "sensors": sorted(d.series)}
        for d in devices
        if model is None or d.model == model
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ["serial", "model", "lifecycle", "sensors"],
        [(row["serial"], row["model"], row["lifecycle"], row["sensors"]) for row in rows],
        empty="No device is registered: `forewarn devices import FILE.csv`.",
    )


def find_lines(text: str) -> dict[str, int]:
    """The line in which each serial of the CSV first stands, the header being line 1."""
    reader = csv.DictReader(StringIO(text))
    found: dict[str, int] = {}
    for row in reader:
        cells = {(name or "").strip(): value for name, value in row.items() if isinstance(value, str)}
        found.setdefault(cells.get("serial", "").strip(), reader.line_num)
    return found
