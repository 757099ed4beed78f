"""Training and backtests that run in this process, with their progress on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

from anomaly.training.jobs import run_job
from anomaly.training.progress import Step, Tell
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, err, say
from store.model_jobs import MODEL_JOBS, ModelJob, open_job
from store.pool import Connection, open_connection


def connect() -> Connection:
    """A connection as jobs and their models need it."""
    return open_connection(find_database_url(load_settings()), application="models", autocommit=True)


def run_here(kind: str, request: dict[str, Any], model_id: int | None) -> ModelJob:
    """The finished job; it ran in this process, with its progress on standard error."""
    with connect() as conn:
        job_id = open_job(conn, kind, request, "cli", model_id)
        job = MODEL_JOBS.begin(conn, job_id)
        if job is None:
            say(f"Job {job_id} is run by the worker of this installation; follow it at /api/v1/model-jobs/{job_id}.")
            raise typer.Exit(ExitCode.FAILED)
        try:
            with _progress(kind) as tell:
                error = run_job(conn, job, tell)
        except KeyboardInterrupt:
            # Who calls it off here does not want the worker of the installation to begin it again.
            with connect() as other:
                MODEL_JOBS.finish(other, job_id, error="It was called off at the command line.")
            raise
        if error is not None:
            say(f"forewarn: {error}")
            raise typer.Exit(ExitCode.FAILED)
        done = MODEL_JOBS.load(conn, job_id)
    assert done is not None
    return done


@contextmanager
def _progress(title: str) -> Iterator[Tell]:
    """A bar with the time left on a terminal; a line now and then elsewhere."""
    if not err.is_terminal:

        def tell_line(step: Step) -> None:
            left = "" if step.seconds_left is None else f", {_describe_time(step.seconds_left)} left"
            say(f"{title}: {100 * step.share:.0f} %{left}: {step.message}")

        yield tell_line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=err) as bar:
        task = bar.add_task(title, total=1.0, left="")

        def tell_bar(step: Step) -> None:
            left = "" if step.seconds_left is None else f"{_describe_time(step.seconds_left)} left"
            bar.update(task, completed=step.share, description=f"{title}: {step.message}", left=left)

        yield tell_bar


def _describe_time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
