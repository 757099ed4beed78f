"""`forewarn rul train|predict`: remaining useful life from recorded runs to failure."""

import hashlib
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

from domain.counting import say_count
from forewarn.commands.options import Json
from forewarn.terminal import err, print_json, say

app = typer.Typer(help="Remaining useful life, learnt from units that ran to failure.", no_args_is_help=True)

Unit = Annotated[str, typer.Option(help="The column that names the unit.")]
Cycle = Annotated[str, typer.Option(help="The column that counts its cycles, from the first to the last.")]


@app.command("train", epilog="Example: `forewarn rul train runs.csv --unit unit --cycle cycle --out var/rul`")
def train_rul(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="CSV or CSV.gz, every unit run to failure.")
    ],
    unit: Unit,
    cycle: Cycle,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder for the model; a model there is replaced.")],
    cap: Annotated[
        float, typer.Option(min=1, max=1_000_000, help="Cycles; longer remaining lives are not told apart.")
    ] = 125.0,
    settings: Annotated[
        str | None,
        typer.Option(help="Columns that are set, not measured: COL,COL; `none`. Found from the data if not given."),
    ] = None,
    ignore: Annotated[str | None, typer.Option(help="Columns that are neither set nor measured: COL,COL.")] = None,
    coverage: Annotated[float, typer.Option(min=0.5, max=0.99, help="Of the interval low..high.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and data give the same model.")] = 1,
    as_json: Json = False,
) -> None:
    """Learn from units that ran to failure how many cycles a unit has left.

    The last row of each unit is its last cycle. Every other column is a sensor or a setting; which are settings is
    found from the data. The folder holds arrays and JSON: nothing in it is ever run.
    """
    # Imported here: learning brings numpy and scikit-learn, which other commands do without.
    from anomaly.rul.model import record_model
    from anomaly.rul.run_table import load_runs
    from anomaly.rul.training import TrainingSettings, train_model

    table = load_runs(files, unit, cycle, ignore=_split(ignore))
    wanted = TrainingSettings(
        cap=cap,
        coverage=coverage,
        seed=seed,
        settings=None if settings is None else () if settings == "none" else _split(settings),
    )
    provenance = {
        "unit_column": unit,
        "cycle_column": cycle,
        "ignored_columns": sorted(_split(ignore)),
        "files": [{"name": f.name, "sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files],
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **{f"{name}_version": version(name) for name in ("forewarn", "numpy", "scikit-learn")},
    }
    say(
        f"{say_count(table.cycle.shape[0], 'row')} of {say_count(len(table.unit_names), 'unit')}, "
        f"{say_count(len(table.columns), 'column')}."
    )
    columns = (
        *Progress.get_default_columns()[:3],
        TimeRemainingColumn(elapsed_when_finished=True),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        bar = progress.add_task("Training", total=None)
        began = time.monotonic()

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            if not err.is_terminal and done < total and done % 5 == 0:
                left = (time.monotonic() - began) / done * (total - done)
                say(f"Training: {done} of {say_count(total, 'step')}, about {left:.0f} s left.")

        model = train_model(table, wanted, provenance, show)
    record_model(model, out)
    if as_json:
        print_json(model.record)
        return
    metrics = model.record["metrics"]
    found = ", ".join(model.record["settings_columns"]) or "none"
    say(f"Settings: {found} ({_count(model.regimes.count, 'way')} of working).")
    if table.text_columns:
        say(f"Not used, because they hold text: {', '.join(table.text_columns)}.")
    if model.record["unused_columns"]:
        say(f"Not used, because they never move: {', '.join(model.record['unused_columns'])}.")
    say(
        f"On units that were left out: off by {metrics['rmse']:.2f} cycles (root mean square, lives above {cap:g} "
        f"count as {cap:g}); {metrics['coverage']:.0%} of the intervals hold "
        f"({metrics['coverage_below_cap']:.0%} of those below {cap:g}), {metrics['width']:.1f} cycles wide on average."
    )
    say(f"The model is in {out}.")


@app.command("predict", epilog="Example: `forewarn rul predict var/rul now.csv --out remaining.csv`")
def predict_rul(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder that `train` wrote.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or CSV.gz, from the first cycle on.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="CSV: unit, cycle, rul, low, high, for every row.")],
    unit: Annotated[
        str | None, typer.Option(help="The column that names the unit, if not the one of training.")
    ] = None,
    cycle: Annotated[str | None, typer.Option(help="The column of cycles, if not the one of training.")] = None,
    as_json: Json = False,
) -> None:
    """Say for every row how many cycles are left, from that row and those of its unit before it alone.

    A life at the model's cap means: at least so many.
    """
    if out.resolve() == file.resolve():
        raise typer.BadParameter("must not be the recording itself", param_hint="--out")
    from anomaly.rul.forecast_file import record_forecast
    from anomaly.rul.model import load_model
    from anomaly.rul.run_table import load_runs

    model = load_model(folder)
    provenance = model.record["provenance"]
    table = load_runs(
        [file], unit or provenance["unit_column"], cycle or provenance["cycle_column"], columns=model.columns
    )
    forecast = model.predict(table)
    record_forecast(table, forecast, out)
    if as_json:
        print_json(
            {
                "rows": int(forecast.rul.shape[0]),
                "units": len(table.unit_names),
                "rows_of_unknown_regime": forecast.unknown_regime,
                "out": out,
            }
        )
        return
    if forecast.unknown_regime:
        say(
            f"{say_count(forecast.unknown_regime, 'row is', 'rows are')} of a way of working "
            "that the model has not seen: what the sensors say there says nothing to it."
        )
    say(f"{say_count(forecast.rul.shape[0], 'row')} of {say_count(len(table.unit_names), 'unit')} written to {out}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _split(names: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (names or "").split(",") if name.strip())
