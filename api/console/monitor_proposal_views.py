"""Proposed thresholds: the grounds, the backtest, and who decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.console.backtest_views import Backtest, find_backtest
from api.console.instants import Instant
from api.console.monitor_words import Measure, find_measure, say_threshold
from api.console.page import View
from api.shapes.monitors import ThresholdProposalShape
from domain.figures import say_beside
from domain.profile import Monitor, Profile
from domain.sentence_figures import SCORE_DECIMALS
from domain.sentences import set_unit


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One proposed threshold."""

    code: str
    state: str
    is_open: bool
    row_version: int
    now: str
    proposed: str
    basis: str
    figures: list[tuple[str, str]]
    backtest: Backtest | None
    backtest_state: str
    backtest_error: str
    endorsed: str
    decided: str
    created: Instant | None


def find_proposal(view: View, profile: Profile, monitor: Monitor, p: ThresholdProposalShape) -> ProposalView:
    """A proposed threshold with its grounds and its backtest."""
    measure = find_measure(view, profile, monitor)
    limits = (p.raise_at, p.proposed_raise_at)
    basis = p.basis
    figures = [
        (view.t("monitors.basis_vain"), str(basis.get("in_vain", "–"))),
        (view.t("monitors.basis_removed"), str(basis.get("removed", "–"))),
        (view.t("monitors.basis_confirmed"), str(basis.get("confirmed", "–"))),
        (view.t("monitors.basis_precision"), _say_share(basis.get("precision"))),
        (view.t("monitors.basis_expected"), _say_share(basis.get("expected_precision"))),
        (view.t("monitors.basis_vain_peaks"), _say_peaks(view, basis.get("vain_peaks"), limits, measure)),
        (view.t("monitors.basis_confirmed_peaks"), _say_peaks(view, basis.get("confirmed_peaks"), limits, measure)),
    ]
    return ProposalView(
        code=p.code,
        state=p.state,
        is_open=p.state in ("PROPOSED", "BACKTESTED", "ENDORSED"),
        row_version=p.row_version,
        now=_say_pair(view, p.raise_at, p.clear_at, measure),
        proposed=_say_pair(view, p.proposed_raise_at, p.proposed_clear_at, measure),
        basis=view.t("monitors.basis_sim" if basis.get("is_simulated") else "monitors.basis_real"),
        figures=figures,
        backtest=find_backtest(view, p.backtest, profile),
        backtest_state=p.backtest_job_state or "",
        backtest_error=p.backtest_error or "",
        endorsed=_say_who(view, "monitors.endorsed_by", p.endorsed_by, p.endorsed_at),
        decided=_say_decision(view, p),
        created=view.when(p.created_at),
    )


def _say_who(view: View, key: str, who: str | None, at: datetime | None) -> str:
    instant = view.when(at)
    return "" if who is None or instant is None else view.t(key, who=view.who(who), at=instant.at)


def _say_decision(view: View, p: ThresholdProposalShape) -> str:
    instant = view.when(p.decided_at)
    if p.decided_by is None or instant is None:
        return ""
    if p.made_version is not None:
        return view.t(
            "monitors.accepted_by", who=view.who(p.decided_by), at=instant.at, version=p.made_version, reason=p.reason
        )
    return view.t("monitors.rejected_by", who=view.who(p.decided_by), at=instant.at, reason=p.reason)


def _say_pair(view: View, raise_at: float, clear_at: float, measure: Measure) -> str:
    said = {"raise_at": say_threshold(raise_at, measure), "clear_at": say_threshold(clear_at, measure)}
    return view.t("monitors.pair", **said)


def _say_share(values: Sequence[float] | None) -> str:
    if not values:
        return "–"
    mean, low, high = (100 * value for value in values)
    return f"{mean:.0f}% ({low:.0f}–{high:.0f}%)"


def _say_peaks(view: View, peaks: Sequence[float] | None, limits: Sequence[float], measure: Measure) -> str:
    """Beyond which limit each of them was can be seen, however little it was."""
    if not peaks:
        return "–"
    decimals = SCORE_DECIMALS if measure.is_score else measure.decimals
    said = view.t("list.comma").join(say_beside(peak, limits, decimals) for peak in peaks)
    return set_unit(said, measure.unit)
