"""A run of the lab in words and figures: was the fault caught, how early, by which monitor, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.console.facts import say_share
from api.console.instants import Instant, name_duration
from api.console.monitor_names import name_monitor, name_monitors
from api.console.page import View
from api.shapes.lab import LabRunShape
from domain.lab import OPEN_STATES, Verdict
from domain.profile import Profile

FAULTS_LISTED = 60
# Short of this a figure says little: an interval from half to all.
FEW = 10


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in the list of runs, or at the head of its page."""

    code: str
    href: str
    fault: str
    state: str
    is_open: bool
    percent: int
    left: str
    scope: str
    profile: str
    sha256: str
    caught: str
    false: str
    warning: str
    by: str
    at: Instant | None
    cancelled_by: str
    cancel_reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Column:
    """One set of rules in the table of figures, or another run."""

    label: str
    under: str
    href: str
    values: list[tuple[str, str]]  # a figure and what stands below it, in the order of `FIGURES`


@dataclass(frozen=True, slots=True)
class Bin:
    """Faults with about the same warning."""

    label: str
    count: int
    width: float  # of the bar, 0 to 100


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """What one monitor did."""

    label: str
    key: str
    href: str
    caught_first: int
    raised: int
    right: int
    wrong_group: int
    false: int


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault that was planted."""

    serial: str
    seed: int
    verdict: str
    is_caught: bool
    onset: str
    failure: str
    ticket: str
    warning: str
    monitors: str


FIGURES = ("caught", "late", "missed", "warning", "group", "false")


def find_run_line(view: View, run: LabRunShape) -> RunLine:
    """The run in one line."""
    asked, figures = run.request, run.figures
    version = view.t("lab.profile_version", version=run.profile_version)
    return RunLine(
        code=run.code,
        href=f"/lab/{run.code}",
        fault=view.t("lab.model_fault", model=asked["model"], fault=view.name("lab_fault", asked["fault"])),
        state=run.state,
        is_open=run.state in OPEN_STATES,
        percent=round(100 * run.progress),
        left="" if run.seconds_left is None else view.t("lab.left", span=_say_span(view, run.seconds_left)),
        scope=view.t(
            "lab.scope",
            devices=asked["devices"],
            days=asked["days"],
            rate=f"{100 * asked['rate']:.4g}",
            seeds=_say_seeds(asked),
        ),
        profile=version if run.proposal is None else view.t("lab.profile_with", profile=version, code=run.proposal),
        sha256=run.profile_sha256,
        caught="–" if figures is None else view.t("lab.of", count=figures["caught"], whole=figures["planted"]),
        false="–" if figures is None else _say_rate(figures["false_per_1000"]["mean"]),
        warning="–" if figures is None else _say_median(view, figures),
        by=view.who(run.requested_by),
        at=view.when(run.requested_at),
        cancelled_by=view.who(run.cancelled_by),
        cancel_reason=run.cancel_reason or "",
        error=run.error or "",
    )


def _say_seeds(asked: Mapping[str, Any]) -> str:
    first, count = asked["seed"], asked["seeds"]
    return f"{first}" if count == 1 else f"{first}–{first + count - 1}"


def find_column(view: View, label: str, figures: Mapping[str, Any], *, under: str = "", href: str = "") -> Column:
    """The figures of one set of rules, in the order of the table."""
    share, rate, warning = figures["share"], figures["false_per_1000"], figures["warning_s"]
    spread = ""
    if warning is not None:
        low, high = (_say_span(view, warning[name]) for name in ("low", "high"))
        spread = view.t("lab.tenths", low=low, high=high)
    told = figures["right"] + figures["wrong_group"]
    values = [
        (
            view.t("lab.of", count=figures["caught"], whole=figures["planted"]),
            view.t(
                "lab.share", share=say_share(share["mean"]), low=_percent(share["low"]), high=_percent(share["high"])
            ),
        ),
        (str(figures["late"]), ""),
        (str(figures["missed"]), ""),
        (_say_median(view, figures), spread),
        (
            "–" if not told else view.t("lab.of", count=figures["right"], whole=told),
            "" if not told else say_share(figures["right_group"]),
        ),
        (
            _say_rate(rate["mean"]),
            view.t("lab.false_of", count=figures["false"], low=_say_rate(rate["low"]), high=_say_rate(rate["high"])),
        ),
    ]
    return Column(label, under, href, values)


def find_answer(view: View, result: Mapping[str, Any]) -> str:
    """The answer in a sentence, before any table."""
    figures = result["figures"]
    caught, planted = figures["caught"], figures["planted"]
    key = "lab.answer_all" if caught == planted else "lab.answer_none" if not caught else "lab.answer_some"
    said = [view.t(key, count=caught, whole=planted)]
    if figures["warning_s"] is not None:
        key = "lab.answer_warning" if result["grows"] else "lab.answer_delay"
        said.append(view.t(key, span=_say_span(view, figures["warning_s"]["median"])))
    rate = _say_rate(figures["false_per_1000"]["mean"])
    key = "lab.answer_false" if figures["false"] else "lab.answer_no_false"
    said.append(view.t(key, count=figures["false"], rate=rate))
    return (" " if view.language == "en" else "").join(said)


def find_caveat(view: View, result: Mapping[str, Any]) -> str:
    """That there were too few faults to rely on the answer; empty where there were enough."""
    planted = result["figures"]["planted"]
    return view.t("lab.answer_few", count=planted) if planted < FEW else ""


def find_bins(view: View, result: Mapping[str, Any]) -> list[Bin]:
    """How much warning how many faults had."""
    warning = result["figures"]["warning_s"]
    if warning is None:
        return []
    most, width = max(warning["bins"]), warning["bin_s"]

    def say(seconds: float) -> str:
        if width < 60:
            return view.t("duration.s", s=f"{seconds:g}")
        return _say_span(view, seconds)

    return [
        Bin(
            view.t(
                "lab.from_to",
                low=say(place * width),
                high=say((place + 1) * width),
            ),
            count,
            round(100.0 * count / most, 1),
        )
        for place, count in enumerate(warning["bins"])
    ]


def find_monitor_rows(view: View, result: Mapping[str, Any], profile: Profile) -> list[MonitorRow]:
    """The monitors that did anything, by their names."""
    rows = []
    for row in result["monitors"]:
        rows.append(
            MonitorRow(
                label=name_monitor(view, profile, row["monitor"]),
                key=row["monitor"],
                href=f"/monitors/{profile.model}/{row['monitor']}",
                caught_first=row["caught_first"],
                raised=row["raised"],
                right=row["right"],
                wrong_group=row["wrong_group"],
                false=row["false"],
            )
        )
    return rows


def find_fault_rows(view: View, result: Mapping[str, Any], profile: Profile) -> list[FaultRow]:
    """The faults one by one, what was missed first."""
    return [
        FaultRow(
            serial=row["serial"],
            seed=row["seed"],
            verdict=row["verdict"],
            is_caught=row["verdict"] == Verdict.CAUGHT,
            onset=say_moment(row["onset"]),
            failure=say_moment(row["failure"]),
            ticket=say_moment(row["ticket"]),
            warning="–" if row["warning_s"] is None else _say_span(view, row["warning_s"]),
            monitors=name_monitors(view, profile, row["raised"]) or view.t("lab.no_breach"),
        )
        for row in result["faults"][:FAULTS_LISTED]
    ]


def find_left_out(view: View, result: Mapping[str, Any], profile: Profile) -> list[str]:
    """Why some monitors were not judged."""
    return [
        view.t(
            f"lab.left_out_{left['reason']}",
            monitor=_name_monitor(view, profile, left["monitor"]),
            sensor=_name_sensor(view, profile, left["sensor"]),
        )
        for left in result["left_out"]
    ]


def find_verdict(view: View, example: Mapping[str, Any], profile: Profile, *, grows: bool) -> str:
    """What became of the fault of an example, in a sentence."""
    who = {"serial": example["serial"], "seed": example["seed"]}
    monitor = _name_monitor(view, profile, example["monitor"] or "")
    if example["verdict"] == Verdict.CAUGHT:
        key = "lab.example_caught" if grows else "lab.example_caught_at_once"
        return view.t(key, **who, monitor=monitor, span=_say_span(view, example["warning_s"]))
    if example["verdict"] == Verdict.LATE:
        return view.t("lab.example_late", **who, monitor=monitor)
    raised = view.t("list.comma").join(_name_monitor(view, profile, name) for name in example["raised"])
    return view.t("lab.example_missed_seen", **who, monitors=raised) if raised else view.t("lab.example_missed", **who)


def _name_monitor(view: View, profile: Profile, key: str) -> str:
    return view.t("list.quoted", name=name_monitor(view, profile, key))


def _name_sensor(view: View, profile: Profile, key: str) -> str:
    sensor = profile.find_sensor(key)
    if sensor is None:
        return key
    return view.t("list.quoted", name=view.say(sensor.label))


def say_moment(text: str | None) -> str:
    """A simulated time, in UTC, to the minute; a dash where there is none."""
    return "–" if text is None else f"{datetime.fromisoformat(text):%m-%d %H:%M}"


def _say_median(view: View, figures: Mapping[str, Any]) -> str:
    warning = figures["warning_s"]
    return "–" if warning is None else _say_span(view, warning["median"])


def _say_span(view: View, seconds: float) -> str:
    return name_duration(timedelta(seconds=seconds), view.language)


def _say_rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:,.2f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}%"
