"""One job of training or backtesting, from the request as JSON to its result; whoever runs it, it is the same."""

import logging
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from anomaly.backtest.run import BacktestRequest, run_backtest
from anomaly.isolation import DetectorFailedError
from anomaly.job_worker import CalledOffError, run_claimed
from anomaly.training.live import find_priors
from anomaly.training.progress import Progress, Step, Tell, tell_nobody
from anomaly.training.record import encode_prior, find_content_sha256
from anomaly.training.train import TrainRequest, train
from domain.audit import Actor
from domain.errors import NotFoundError
from domain.model_record import MODEL_PERMISSION, ModelKind, ModelState
from domain.profile_json import profile_from_json, profile_to_json
from store.history import HistoryLevel
from store.model_jobs import MODEL_JOBS, ModelJob, note_made
from store.models import NewModel, load_scoring_models, record_model
from store.pool import Connection, transaction

log = logging.getLogger(__name__)

TRAIN, BACKTEST = "train", "backtest"


def train_request_to_json(request: TrainRequest) -> dict[str, Any]:
    """What `model_job.request` holds of a training."""
    return asdict(request)


def backtest_request_to_json(request: BacktestRequest, proposed_model_id: int | None) -> dict[str, Any]:
    """What `model_job.request` holds of a backtest."""
    return {
        "model": request.model,
        "firmware": request.firmware,
        "since": request.since,
        "until": request.until,
        "level": request.level,
        "settle_s": request.settle.total_seconds(),
        "proposed_profile": None if request.proposed_profile is None else profile_to_json(request.proposed_profile),
        "proposed_model_id": proposed_model_id,
    }


def run_job(conn: Connection, job: ModelJob, also_tell: Tell = tell_nobody) -> str | None:
    """Runs a job that this session has begun, and records what came of it: None, or the error in words. A model that it
    made and its end are one transaction: however often it is begun, one draft comes of it."""
    actor = Actor(job.requested_by, "engineer", MODEL_PERMISSION.value)

    def work(tell: Tell) -> None:
        def tell_both(step: Step) -> None:
            tell(step)
            also_tell(step)

        result, new = _run(conn, job, tell_both)
        message = ""
        with transaction(conn):
            if not MODEL_JOBS.hold(conn, job.id):
                raise CalledOffError
            if new is not None:
                made = record_model(conn, actor, new, datetime.now(UTC))
                message = f"registered as {made.code}"
                result = {"code": made.code} | result
                note_made(conn, job.id, made.id, message)
            if not MODEL_JOBS.finish(conn, job.id, result=result):
                raise CalledOffError
        if message:
            also_tell(Step(1.0, 0.0, message))

    return run_claimed(conn, MODEL_JOBS, job, work)


def _run(conn: Connection, job: ModelJob, tell: Tell) -> tuple[dict[str, Any], NewModel | None]:
    progress = Progress(tell)
    try:
        return _run_once(conn, job, progress, careful=False)
    except DetectorFailedError as error:
        log.warning("job %d: a detector failed (%s): once more, with care", job.id, error)
        return _run_once(conn, job, progress, careful=True)


def _run_once(
    conn: Connection, job: ModelJob, progress: Progress, *, careful: bool
) -> tuple[dict[str, Any], NewModel | None]:
    if job.kind == TRAIN:
        return _run_training(conn, job, progress, careful)
    return _run_backtest(conn, job, progress, careful), None


def _run_training(
    conn: Connection, job: ModelJob, progress: Progress, careful: bool
) -> tuple[dict[str, Any], NewModel]:
    asked = job.request
    request = TrainRequest(asked["model"], asked["firmware"], _instant(asked["since"]), _instant(asked["until"]))
    trained = train(conn, request, progress, careful=careful)
    arrays, description = encode_prior(trained.prior)
    new = NewModel(
        kind=ModelKind.FLEET_PRIOR,
        model=request.model,
        firmware=request.firmware,
        description=description,
        arrays=arrays,
        sha256=find_content_sha256(arrays, description),
        provenance=trained.provenance | {"job": job.id},
    )
    return {"provenance": trained.provenance}, new


def _run_backtest(conn: Connection, job: ModelJob, progress: Progress, careful: bool) -> dict[str, Any]:
    asked = job.request
    proposed = asked["proposed_profile"]
    request = BacktestRequest(
        model=asked["model"],
        firmware=asked["firmware"],
        since=_instant(asked["since"]),
        until=_instant(asked["until"]),
        level=None if asked["level"] is None else HistoryLevel(asked["level"]),
        settle=timedelta(seconds=asked["settle_s"]),
        proposed_profile=None if proposed is None else profile_from_json(proposed),
    )
    model_id = asked["proposed_model_id"]
    models = load_scoring_models(conn, [ModelState.LIVE], [] if model_id is None else [model_id])
    own = [m for m in models if m.model == request.model and m.kind == ModelKind.FLEET_PRIOR]
    live = [m for m in own if m.state == ModelState.LIVE]
    chosen = next((m for m in own if m.id == model_id), None)
    if model_id is not None and chosen is None and proposed is None:
        raise NotFoundError(f"(model {model_id} of {request.model})")
    beside = live if chosen is None else [*(m for m in live if m.firmware != chosen.firmware), chosen]
    return run_backtest(conn, request, find_priors(live), find_priors(beside), progress, careful=careful)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
