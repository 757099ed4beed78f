"""Models in tests: training and backtests run at once, and the two engineers that a safety-critical model needs."""

from datetime import UTC, datetime
from typing import Any

from anomaly.backtest.run import BacktestRequest
from anomaly.job_worker import work
from anomaly.training.jobs import backtest_request_to_json, run_job, train_request_to_json
from anomaly.training.progress import Step
from anomaly.training.train import TrainRequest
from domain.audit import Actor, Signature
from domain.model_record import MODEL_PERMISSION, ModelStep
from store.model_jobs import MODEL_JOBS, ModelJob, open_job
from store.model_steps import StepRequest, record_step
from store.models import ModelRow, load_model
from store.pool import Connection, open_connection, transaction


def add_engineer(conn: Connection, name: str) -> Actor:
    """A person with the right to decide on models."""
    row = conn.execute(
        "INSERT INTO app_user (name, full_name, password_hash, roles) VALUES (%s, %s, 'x', '{engineer}') RETURNING id",
        (name, name.title()),
    ).fetchone()
    assert row is not None
    return Actor(name, "engineer", MODEL_PERMISSION.value, user_id=row[0])


def take_step(conn: Connection, actor: Actor, code: str, step: ModelStep, reason: str = "test") -> ModelRow:
    """The model after the step, which the actor signs."""
    signature = None if actor.user_id is None else Signature(actor.user_id, actor.name, "decided")
    with transaction(conn):
        return record_step(conn, actor, code, StepRequest(step, reason, signature), datetime.now(UTC))


def work_jobs(url: str) -> int:
    """How many jobs waited: a worker ran them here."""
    return work(url, MODEL_JOBS, run_job)


def run_queued(url: str, job_id: int, steps: list[Step] | None = None) -> ModelJob:
    """The job after a worker ran it here."""
    with open_connection(url, application="test", autocommit=True) as conn:
        job = MODEL_JOBS.begin(conn, job_id)
        assert job is not None
        run_job(conn, job, (steps if steps is not None else []).append)
        done = MODEL_JOBS.load(conn, job_id)
    assert done is not None
    return done


def train_now(url: str, model: str, **window: Any) -> ModelRow:
    """A new draft."""
    request = train_request_to_json(TrainRequest(model, **window))
    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "train", request, "engineer-1")
    job = run_queued(url, job_id)
    assert job.error is None, job.error
    assert job.result is not None
    with open_connection(url, application="test", autocommit=True) as conn:
        made = load_model(conn, job.result["code"])
    assert made is not None
    return made


def backtest_now(url: str, request: BacktestRequest, proposed: ModelRow | None = None) -> dict[str, Any]:
    """The result of a backtest."""
    model_id = None if proposed is None else proposed.id
    with open_connection(url, application="test", autocommit=True) as conn:
        job_id = open_job(conn, "backtest", backtest_request_to_json(request, model_id), "engineer-1", model_id)
    job = run_queued(url, job_id)
    assert job.error is None, job.error
    assert job.result is not None
    return dict(job.result)
