"""Trainings and backtests that wait or run, and calling them off."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.console.acts import Act, Field, refuse_act
from api.console.forms import Typed
from api.console.instants import Instant
from api.console.page import View
from domain.monitor_names import name_monitor
from domain.profile import Profile
from domain.roles import Permission
from store.model_jobs import ModelJob


@dataclass(frozen=True, slots=True)
class JobLine:
    """One of them."""

    id: int
    kind: str
    of: str
    href: str  # where it is shown; empty: nowhere yet
    state: str
    said: str
    by: str
    at: Instant | None
    act: Act | None  # None: this person may not


def find_job_line(view: View, job: ModelJob, profiles: Mapping[str, Profile], typed: Typed) -> JobLine:
    """What it is, how far, and the form that calls it off."""
    monitor = job.request.get("monitor")
    model = str(job.request.get("model", ""))
    profile = profiles.get(model)
    watched = profile.find_monitor(str(monitor)) if profile is not None else None
    name = str(monitor) if profile is None or watched is None else view.say(name_monitor(profile, watched))
    href = f"/monitors/{model}/{monitor}" if monitor else f"/models/{job.model_code}" if job.model_code else ""
    said = view.t("monitors.progress", percent=round(100 * job.progress)) if job.state == "RUNNING" else ""
    if job.seconds_left is not None:
        said += " " + view.t("monitors.seconds_left", seconds=round(job.seconds_left))
    return JobLine(
        job.id,
        view.name("job_kind", job.kind),
        job.model_code or (f"{model} · {name}" if monitor else model),
        href,
        job.state,
        said,
        view.who(job.requested_by),
        view.when(job.requested_at),
        _find_act(view, job, typed),
    )


def find_refused_act(view: View) -> Act | None:
    """What is shown once in place of all the forms where this person may call nothing off."""
    if view.may(Permission.PROFILE_WRITE):
        return None
    return refuse_act(view, "call_off", view.say_missing(Permission.PROFILE_WRITE))


def _find_act(view: View, job: ModelJob, typed: Typed) -> Act | None:
    if not view.may(Permission.PROFILE_WRITE):
        return None
    name = f"call_off_{job.id}"
    kept = typed.of(name)
    return Act(
        name,
        view.t("act.call_off"),
        submit=view.t("act.call_off_do"),
        action=f"/model-jobs/{job.id}/cancel",
        explain=view.t("act.explain_call_off"),
        fields=(
            Field(
                "reason",
                view.t("field.justification"),
                "textarea",
                kept.values.get("reason", ""),
                wrong=kept.wrong.get("reason", ""),
            ),
        ),
        open=bool(kept.wrong),
    )


def say_called_off(view: View, job: ModelJob) -> str:
    """By whom and why; empty where nobody called it off."""
    if job.cancelled_by is None:
        return ""
    return view.t("model_jobs.called_off", who=view.who(job.cancelled_by), reason=job.cancel_reason or "")
