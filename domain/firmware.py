"""What a device runs and ran, and how its updates went, from the reports it sent, in whatever order they came. Pure.

Reports are ordered by the device's own time; of two of one instant the one that came later counts as later. Only two
kinds change what a component runs: UPDATED (its version), and a FAILED that names a `previous` version after an UPDATED
to the version that failed (it was rolled back to `previous`). All other reports tell of an update on its way. The SQL
of migration 0011 follows the same rules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from domain.report import FirmwareState

MAIN = "main"


@dataclass(frozen=True, slots=True)
class FirmwareEntry:
    """One stored report. `id` counts in order of arrival."""

    id: int
    observed_at: datetime
    received_at: datetime
    component: str
    version: str
    state: FirmwareState
    previous: str | None = None
    error: str | None = None


class VersionSource(StrEnum):
    """How we know a version."""

    REPORTED = "reported"  # an UPDATED, or a roll-back
    PREVIOUS = "previous"  # the first report named it as the one before
    REGISTERED = "registered"  # nobody but the master data said so


@dataclass(frozen=True, slots=True)
class RunningVersion:
    """What a component runs at some instant. `since` is None where only later reports, or the master data, tell."""

    component: str
    version: str
    since: datetime | None
    source: VersionSource


@dataclass(frozen=True, slots=True)
class FirmwareChange:
    """A component went from one version to another; `before` is None where nothing was known."""

    at: datetime
    component: str
    before: str | None
    after: str


class AttemptOutcome(StrEnum):
    """What became of an update."""

    UNDER_WAY = "under_way"
    UPDATED = "updated"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"  # FAILED, and it names the version that it went back to
    ABANDONED = "abandoned"  # another update began, or it began again, before it ended


class Irregularity(StrEnum):
    """What was odd about the reports of an update; none of it keeps a report from counting."""

    STEPS_MISSING = "steps_missing"  # its end is all that was reported
    OUT_OF_ORDER = "out_of_order"  # a report came after one that is later by the device's own time
    REPEATED = "repeated"  # a step was reported twice
    PREVIOUS_DIFFERS = "previous_differs"  # it names another version before than the reports do: one was never reported


@dataclass(frozen=True, slots=True)
class UpdateAttempt:
    """One update of one component, from its first report to its last."""

    component: str
    version: str
    previous: str | None
    began_at: datetime
    last_at: datetime
    outcome: AttemptOutcome
    steps: tuple[FirmwareState, ...]
    error: str | None
    irregularities: tuple[Irregularity, ...]


_PLACE = {
    FirmwareState.DOWNLOADING: 0,
    FirmwareState.DOWNLOADED: 1,
    FirmwareState.VERIFIED: 2,
    FirmwareState.UPDATING: 3,
    FirmwareState.UPDATED: 4,
    FirmwareState.FAILED: 5,
}


def may_follow(before: FirmwareState, after: FirmwareState) -> bool:
    """Whether a step may follow another within one update: steps may be left out, as by a device that was off line
    during the download, but never go back. After UPDATED comes nothing but the FAILED that rolls back, after FAILED
    nothing."""
    return _PLACE[after] > _PLACE[before]


def sort_reports(reports: Iterable[FirmwareEntry]) -> list[FirmwareEntry]:
    """In the order in which they count."""
    return sorted(reports, key=lambda r: (r.observed_at, r.id))


def find_steps(reports: Iterable[FirmwareEntry]) -> list[tuple[FirmwareEntry, str]]:
    """The reports of one component that say what it runs from then on, in order, each with that version."""
    steps: list[tuple[FirmwareEntry, str]] = []
    updated: str | None = None
    for report in sort_reports(reports):
        if report.state is FirmwareState.UPDATED:
            updated = report.version
            steps.append((report, report.version))
        elif (
            report.state is FirmwareState.FAILED
            and report.previous is not None
            and report.previous != report.version == updated
        ):
            steps.append((report, report.previous))
    return steps


def find_changes(reports: Iterable[FirmwareEntry], registered: str = "") -> list[FirmwareChange]:
    """Every change of version, oldest first, components in one list.

    Parameters
    ----------
    registered
        What the master data said of the main component before any report: the first report may differ from it.
    """
    changes = []
    for component, own in _split(reports).items():
        known = registered if component == MAIN and registered else None
        for place, (report, version) in enumerate(find_steps(own)):
            if place == 0:
                known = report.previous or known
            if version != known:
                changes.append(FirmwareChange(report.observed_at, component, known, version))
            known = version
    return sorted(changes, key=lambda c: (c.at, c.component))


def find_running(reports: Iterable[FirmwareEntry], at: datetime, registered: str = "") -> list[RunningVersion]:
    """What each component ran at that instant, by component; one of which nothing is known is left out."""
    running = []
    by_component = _split(reports)
    if registered:
        by_component.setdefault(MAIN, [])
    for component, own in sorted(by_component.items()):
        steps = find_steps(own)
        past = [(report, version) for report, version in steps if report.observed_at <= at]
        if past:
            report, version = past[-1]
            running.append(RunningVersion(component, version, report.observed_at, VersionSource.REPORTED))
        elif steps and steps[0][0].previous:
            running.append(RunningVersion(component, steps[0][0].previous, None, VersionSource.PREVIOUS))
        elif component == MAIN and registered:
            running.append(RunningVersion(component, registered, None, VersionSource.REGISTERED))
    return running


def find_attempts(reports: Iterable[FirmwareEntry]) -> list[UpdateAttempt]:
    """The updates that these reports tell of, newest first. A device that says what it runs, as many do whenever they
    connect, tells of no update unless that version is a new one."""
    attempts: list[UpdateAttempt] = []
    for own in _split(reports).values():
        current: list[FirmwareEntry] = []
        running: str | None = None  # before the current update
        runs: str | None = None  # now
        for report in sort_reports(own):
            last = current[-1].state if current else None
            is_over = last in (FirmwareState.UPDATED, FirmwareState.FAILED)
            if report.state is FirmwareState.UPDATED and report.version == runs and (last is None or is_over):
                continue
            is_same = bool(current) and report.version == current[-1].version
            if last is None or not is_same or not (report.state is last or may_follow(last, report.state)):
                if current:
                    attempts.append(_sum_up(current, running, is_over=True))
                current, running = [], runs
            current.append(report)
            if report.state is FirmwareState.UPDATED:
                runs = report.version
            elif report.state is FirmwareState.FAILED and report.version == runs and report.previous is not None:
                runs = report.previous
            if running is None and report.previous is None and [r.state for r in current] == [FirmwareState.UPDATED]:
                current = []  # it introduces itself
        if current:
            attempts.append(_sum_up(current, running, is_over=False))
    return sorted(attempts, key=lambda a: (a.began_at, a.component), reverse=True)


def _sum_up(reports: Sequence[FirmwareEntry], running: str | None, *, is_over: bool) -> UpdateAttempt:
    last = reports[-1]
    states = [report.state for report in reports]
    named = next((r.previous for r in reversed(reports) if r.previous is not None), None)
    match last.state:
        case FirmwareState.UPDATED:
            outcome = AttemptOutcome.UPDATED
        case FirmwareState.FAILED:
            outcome = AttemptOutcome.FAILED if last.previous is None else AttemptOutcome.ROLLED_BACK
        case _:
            outcome = AttemptOutcome.ABANDONED if is_over else AttemptOutcome.UNDER_WAY
    odd = []
    if last.state in (FirmwareState.UPDATED, FirmwareState.FAILED) and states[0] is last.state:
        odd.append(Irregularity.STEPS_MISSING)
    if any(earlier.id > later.id for earlier, later in pairwise(reports)):
        odd.append(Irregularity.OUT_OF_ORDER)
    if len(set(states)) < len(states):
        odd.append(Irregularity.REPEATED)
    if named is not None and running is not None and named != running:
        odd.append(Irregularity.PREVIOUS_DIFFERS)
    return UpdateAttempt(
        component=last.component,
        version=last.version,
        previous=named if named is not None else running,
        began_at=reports[0].observed_at,
        last_at=last.observed_at,
        outcome=outcome,
        steps=tuple(dict.fromkeys(states)),
        error=last.error,
        irregularities=tuple(odd),
    )


def _split(reports: Iterable[FirmwareEntry]) -> dict[str, list[FirmwareEntry]]:
    by_component: dict[str, list[FirmwareEntry]] = {}
    for report in reports:
        by_component.setdefault(report.component, []).append(report)
    return by_component
