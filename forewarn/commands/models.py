"""`forewarn models train|list|show|backtest|shadow|activate|rollback|retire`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from anomaly.backtest.run import BacktestRequest
from anomaly.training.jobs import BACKTEST, TRAIN, backtest_request_to_json, train_request_to_json
from anomaly.training.train import TrainRequest
from domain.audit import Actor, find_content_sha256
from domain.counting import say_count
from domain.errors import GuardRefusedError, NotFoundError
from domain.model_record import MODEL_PERMISSION, ModelKind, ModelState, ModelStep, describe_profile, find_model_steps
from domain.profile import Profile
from domain.profile_file import parse_profile
from domain.profile_json import find_profile_sha256, profile_from_json, profile_to_json
from forewarn.commands.backtest_tables import print_backtest
from forewarn.commands.model_jobs import connect, run_here
from forewarn.commands.options import Json
from forewarn.commands.signatures import find_signing_actor
from forewarn.terminal import ExitCode, print_json, print_table, say
from store.history import HistoryLevel
from store.model_jobs import load_newest_backtest
from store.model_steps import StepRequest, record_step
from store.models import ModelRow, NewModel, load_model, load_models, record_model
from store.pool import Connection, transaction
from store.profiles import load_profile
from store.shadows import load_shadow_counts

app = typer.Typer(
    help="Models as controlled records: trained on the fleet's history, backtested, approved, live, rolled back.",
    no_args_is_help=True,
)
ModelOption = Annotated[str, typer.Option("--model", help="Device model, e.g. INF-200.")]
Firmware = Annotated[str, typer.Option(help="Only devices that run this version of the firmware.")]
Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Begin in UTC; first reading.")
]
Until = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="End in UTC; last reading.")
]
Code = Annotated[str, typer.Argument(help="Code of the model, e.g. MOD-2026-0001.")]
User = Annotated[str, typer.Option("--as", help="The engineer who decides; needed where the step is signed.")]
Reason = Annotated[str, typer.Option(help="Why; needed to take a live model away.")]


@app.command("train", epilog="Example: `forewarn models train --model INF-200 --since 2026-10-01`")
def train(
    model: ModelOption,
    firmware: Firmware = "",
    since: Since = None,
    until: Until = None,
    kind: Annotated[ModelKind, typer.Option(help="What to train.")] = ModelKind.FLEET_PRIOR,
    as_json: Json = False,
) -> None:
    """Pool the healthy history of a fleet into a draft: what new devices of the model start from."""
    if kind is not ModelKind.FLEET_PRIOR:
        raise typer.BadParameter(f"a {kind} is not trained; propose it to `forewarn models backtest --profile`")
    request = TrainRequest(model, firmware, _in_utc(since), _in_utc(until))
    job = run_here(TRAIN, train_request_to_json(request), None)
    assert job.result is not None
    if as_json:
        print_json(job.result)
        return
    metrics = job.result["provenance"]["metrics"]
    say(
        f"{job.result['code']}: draft from {say_count(metrics['devices'], 'device')} "
        f"({metrics['left_out_as_faulty']} left out as faulty), {say_count(metrics['readings'], 'reading')}"
    )
    for part in metrics["parts"]:
        say(f"  {part['rule']} {part['key']}: {say_count(part['devices'], 'device')}")
    for monitor in metrics["monitors_without"]:
        say(f"  {monitor}: too few devices are past its warm-up; new devices warm up as before")


@app.command("propose", epilog="Example: `forewarn models propose infusion_pump.yaml`")
def propose(
    file: Annotated[Path, typer.Argument(help="Profile with changed thresholds; its version does not matter.")],
    as_json: Json = False,
) -> None:
    """Register a profile as a draft: to be backtested, tried in shadow, and made live by the same steps as a model."""
    profile = _read_profile(file)
    with connect() as conn, transaction(conn):
        current = load_profile(conn, profile.model)
        if current is None:
            raise NotFoundError(f"(device model {profile.model!r})")
        description = describe_profile(profile_to_json(profile), current.version)
        provenance = {"file": file.name, "profile_sha256": find_profile_sha256(profile)}
        sha256 = find_content_sha256(description)
        new = NewModel(ModelKind.PROFILE, profile.model, "", description, b"", sha256, provenance)
        made = record_model(conn, Actor("cli", "engineer", MODEL_PERMISSION.value), new, datetime.now(UTC))
    if as_json:
        print_json(_describe(made))
    else:
        say(f"{made.code}: draft of a profile of {made.model}, made for version {current.version}")


@app.command("list", epilog="Example: `forewarn models list --model INF-200`")
def list_models(
    model: Annotated[str, typer.Option("--model", help="Only of this device model.")] = "", as_json: Json = False
) -> None:
    """List the models, newest first."""
    with connect() as conn:
        rows = load_models(conn, model=model, limit=1_000)
    if as_json:
        print_json([_describe(row) for row in rows])
        return
    print_table(
        ["code", "kind", "device model", "firmware", "state", "created", "by", "live since", "approved by"],
        [
            (
                r.code,
                r.kind,
                r.model,
                r.firmware or "all",
                r.state,
                r.created_at,
                r.created_by,
                r.live_since,
                r.approved_by,
            )
            for r in rows
        ],
        empty="There is no model yet: `forewarn models train --model MODEL`.",
    )


@app.command("show", epilog="Example: `forewarn models show MOD-2026-0001 --json`")
def show(code: Code, as_json: Json = False) -> None:
    """Show one model: where it comes from, what became of it, its backtest, and what it did in shadow."""
    with connect() as conn:
        row = _find(conn, code)
        backtest = load_newest_backtest(conn, row.id)
        counts = load_shadow_counts(conn, row.id)
    if as_json:
        document = _describe(row) | {"backtest": None if backtest is None else backtest.result, "shadow": counts}
        print_json(document)
        return
    said = [(name, value) for name, value in _describe(row).items() if name not in ("description", "provenance")]
    said += [(f"provenance.{name}", value) for name, value in row.provenance.items() if name != "metrics"]
    said.append(("next steps", [str(step) for step in find_model_steps_of(row)]))
    print_table(["field", "value"], said, empty="")
    if backtest is not None:
        print_backtest(backtest)
    if counts:
        rows = [(c.day, c.monitor, c.side, c.raised, c.escalated, c.cleared) for c in counts]
        print_table(["day", "monitor", "side", "raised", "escalated", "cleared"], rows, empty="")


@app.command("backtest", epilog="Example: `forewarn models backtest --profile infusion_pump.yaml --since 2026-10-01`")
def backtest(
    code: Annotated[str, typer.Argument(help="Code of the model; or --profile.")] = "",
    profile: Annotated[Path | None, typer.Option(help="Profile with changed thresholds.")] = None,
    since: Since = None,
    until: Until = None,
    level: Annotated[
        HistoryLevel | None, typer.Option(help="Readings or means; default: the coarsest that leaves no monitor out.")
    ] = None,
    settle_days: Annotated[
        float, typer.Option(min=0.0, max=365.0, help="Days at the begin that are not counted.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Compare what is live with a model or a profile over stored readings: tickets, gained and lost, lead times."""
    if bool(code) == (profile is not None):
        raise typer.BadParameter("give the code of a model, or --profile FILE")
    with connect() as conn:
        row = _find(conn, code) if code else None
    proposed = None if profile is None else _read_profile(profile)
    if row is not None and row.kind == ModelKind.PROFILE:
        proposed = profile_from_json(row.description["profile"])
    request = BacktestRequest(
        model=row.model if row is not None else proposed.model if proposed is not None else "",
        firmware="" if row is None else row.firmware,
        since=_in_utc(since),
        until=_in_utc(until),
        level=level,
        settle=timedelta(days=settle_days),
        proposed_profile=proposed,
    )
    model_id = None if row is None else row.id
    job = run_here(BACKTEST, backtest_request_to_json(request, model_id), model_id)
    if as_json:
        print_json(job.result)
    else:
        print_backtest(job)


@app.command("shadow", epilog="Example: `forewarn models shadow MOD-2026-0001`")
def shadow(code: Code, user: User = "", reason: Reason = "", as_json: Json = False) -> None:
    """Score a draft beside what is live: it delivers nowhere and counts."""
    _step(code, ModelStep.SHADOW, user, reason, as_json)


@app.command("activate", epilog="Example: `forewarn models activate MOD-2026-0001 --as mwang`")
def activate(code: Code, user: User = "", reason: Reason = "", as_json: Json = False) -> None:
    """Make a model live. On a safety-critical device model the first engineer asks, and another one approves."""
    _step(code, ModelStep.ACTIVATE, user, reason, as_json)


@app.command("rollback", epilog="Example: `forewarn models rollback MOD-2026-0002 --as mwang --reason 'false alarms'`")
def rollback(code: Code, user: User = "", reason: Reason = "", as_json: Json = False) -> None:
    """Retire a live model and make the one before it live again."""
    _step(code, ModelStep.ROLL_BACK, user, reason, as_json)


@app.command("retire", epilog="Example: `forewarn models retire MOD-2026-0001 --reason 'trained anew'`")
def retire(code: Code, user: User = "", reason: Reason = "", as_json: Json = False) -> None:
    """Retire a model for good."""
    _step(code, ModelStep.RETIRE, user, reason, as_json)


def find_model_steps_of(row: ModelRow) -> tuple[ModelStep, ...]:
    """The steps that its state allows."""
    return find_model_steps(ModelState(row.state))


def _step(code: str, step: ModelStep, user: str, reason: str, as_json: bool) -> None:
    actor, signature = find_signing_actor(user, MODEL_PERMISSION, f"{step} {code}")
    with connect() as conn, transaction(conn):
        request = StepRequest(step, reason, signature)
        try:
            after = record_step(conn, actor, code, request, datetime.now(UTC))
        except GuardRefusedError as refused:
            say(f"{code}: refused by {refused.guard}: {refused}")
            raise typer.Exit(ExitCode.FAILED) from None
    if as_json:
        print_json(_describe(after))
    elif step is ModelStep.ACTIVATE and after.state != "LIVE":
        say(f"{code}: {actor.name} asks for it; another engineer approves it by the same command")
    else:
        say(f"{code}: {after.state}")


def _read_profile(path: Path) -> Profile:
    if not path.is_file():
        raise typer.BadParameter(f"{path} is no file")
    found = parse_profile(path.read_text(encoding="utf-8"), path.name)
    if not isinstance(found, Profile):
        for problem in found:
            say(str(problem))
        raise typer.Exit(ExitCode.FAILED)
    return found


def _describe(row: ModelRow) -> dict[str, Any]:
    fields = ("code", "kind", "model", "safety_critical", "firmware", "state", "created_at", "created_by", "asked_by")
    more = ("asked_at", "approved_by", "live_since", "live_until", "replaced_code", "has_backtest", "size", "sha256")
    named = {name: getattr(row, name) for name in (*fields, *more)}
    return named | {"description": dict(row.description), "provenance": dict(row.provenance)}


def _find(conn: Connection, code: str) -> ModelRow:
    row = load_model(conn, code)
    if row is None:
        raise NotFoundError(f"(model {code!r})")
    return row


def _in_utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)
