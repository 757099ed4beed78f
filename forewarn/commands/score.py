"""`forewarn score`: a recording from a file, scored as live readings are."""

from pathlib import Path
from typing import Annotated

import typer

from domain.counting import say_count
from forewarn.commands.options import Json
from forewarn.terminal import print_json, say, step

LONGEST_WARMUP = 1_000_000_000


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "score",
        epilog="Example: `forewarn score pump.csv --time time --values pressure,flow --warmup 400 --out scored.csv`. "
        "Times are ISO 8601, `2026-11-22 07:30:00`, seconds or milliseconds since 1970, or any numbered step.",
    )(run_score)


def run_score(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV with a header, or CSV.gz.")],
    time: Annotated[str, typer.Option(help="The column with the time.")],
    values: Annotated[str, typer.Option(help="The columns to score, with commas between.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="The CSV to write; replaced if it is there.")],
    warmup: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_WARMUP, help="First rows that are known to be healthy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a recording: score, alarm, state, detector and contributions of each row, from it and those before it."""
    columns = [name.strip() for name in values.split(",")]
    if not all(columns) or len(set(columns)) != len(columns):
        raise typer.BadParameter("must be different column names with commas between", param_hint="--values")
    if time in columns:
        raise typer.BadParameter(f"{time!r} is the time column", param_hint="--values")
    if out.resolve() == file.resolve():
        raise typer.BadParameter("must not be the recording itself", param_hint="--out")
    # Imported here: scoring brings numpy, which other commands do without.
    from anomaly.offline.table import read_table, score_table, write_scores

    with step(f"Read {file.name}"):
        table = read_table(file, time, columns)
    with step(f"Scored {say_count(table.at_us.shape[0], 'row')} of {', '.join(columns)}"):
        scored = score_table(table, warmup)
    with step(f"Wrote {out}"):
        write_scores(file, time, scored, out)
    alarms = int((scored.alarm[1:] & ~scored.alarm[:-1]).sum() + scored.alarm[:1].sum())
    if as_json:
        held = int((scored.state == "held").sum())
        print_json({"rows": len(scored.alarm), "alarms": alarms, "alarm_rows": int(scored.alarm.sum()), "held": held})
    else:
        say(f"{say_count(alarms, 'alarm')} in {say_count(len(scored.alarm), 'row')}.")
        if warmup is not None and warmup >= len(scored.alarm):
            say(f"No row was judged: all of them are within the warm-up of {warmup}.")
