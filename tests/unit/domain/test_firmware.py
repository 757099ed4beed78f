"""Firmware histories from reports in whatever order they came, and how updates went."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from domain.firmware import (
    AttemptOutcome,
    FirmwareChange,
    FirmwareEntry,
    Irregularity,
    RunningVersion,
    UpdateAttempt,
    VersionSource,
    find_attempts,
    find_changes,
    find_running,
    may_follow,
)
from domain.report import FirmwareState

START = datetime(2026, 11, 1, tzinfo=UTC)
DOWNLOADING, DOWNLOADED, VERIFIED, UPDATING, UPDATED, FAILED = FirmwareState


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def make(*said: tuple[float, str, FirmwareState] | tuple[float, str, FirmwareState, str]) -> list[FirmwareEntry]:
    """(minute, version, state[, previous]) in order of arrival."""
    return [
        FirmwareEntry(i, at(minute), at(1_000 + i), "main", version, state, *rest)
        for i, (minute, version, state, *rest) in enumerate(said)
    ]


def running(reports: list[FirmwareEntry], minute: float, registered: str = "") -> tuple[str, VersionSource] | None:
    found = find_running(reports, at(minute), registered)
    return (found[0].version, found[0].source) if found else None


def test_what_runs_is_what_the_newest_update_up_to_then_says() -> None:
    reports = make((30, "3.0", UPDATED), (10, "1.0", UPDATED, "0.9"), (20, "2.0", UPDATED), (25, "9.9", DOWNLOADING))
    assert [running(reports, m) for m in (5, 10, 19, 20, 29, 30, 99)] == [
        ("0.9", VersionSource.PREVIOUS),
        *[(v, VersionSource.REPORTED) for v in ("1.0", "1.0", "2.0", "2.0", "3.0", "3.0")],
    ]
    assert find_running(reports, at(12))[0] == RunningVersion("main", "1.0", at(10), VersionSource.REPORTED)


def test_before_the_first_report_the_master_data_are_all_there_is() -> None:
    reports = make((10, "1.0", UPDATED))
    assert running(reports, 5) is None
    assert running(reports, 5, "0.8") == ("0.8", VersionSource.REGISTERED)
    assert find_running([], at(5), "0.8") == [RunningVersion("main", "0.8", None, VersionSource.REGISTERED)]


def test_a_first_report_that_differs_from_the_master_data_is_a_change() -> None:
    assert find_changes(make((10, "1.0", UPDATED)), "0.8") == [FirmwareChange(at(10), "main", "0.8", "1.0")]
    assert find_changes(make((10, "1.0", UPDATED)), "1.0") == []
    assert find_changes(make((10, "1.0", UPDATED, "0.9")), "0.8") == [FirmwareChange(at(10), "main", "0.9", "1.0")]
    assert find_changes(make((10, "1.0", UPDATED))) == [FirmwareChange(at(10), "main", None, "1.0")]


def test_a_roll_back_ends_what_was_updated_and_a_failed_update_changes_nothing() -> None:
    rolled_back = make((10, "1.0", UPDATED), (20, "2.0", UPDATED), (21, "2.0", FAILED, "1.0"))
    assert [running(rolled_back, m) for m in (20, 21)] == [
        ("2.0", VersionSource.REPORTED),
        ("1.0", VersionSource.REPORTED),
    ]
    failed = make((10, "1.0", UPDATED), (20, "2.0", UPDATING), (21, "2.0", FAILED, "1.0"))
    assert find_changes(failed) == [FirmwareChange(at(10), "main", None, "1.0")]


@pytest.mark.parametrize("seed", range(30))
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    chance = random.Random(seed)
    reports = make(
        *[
            (minute, chance.choice(["1", "2", "3"]), chance.choice([UPDATED, UPDATED, FAILED]), chance.choice("123"))
            for minute in range(8)
        ]
    )
    shuffled = list(reports)
    chance.shuffle(shuffled)
    shuffled = [
        FirmwareEntry(i, r.observed_at, r.received_at, r.component, r.version, r.state, r.previous)
        for i, r in enumerate(shuffled)
    ]
    assert find_changes(shuffled, "0") == find_changes(reports, "0")
    for minute in range(-1, 9):
        assert find_running(shuffled, at(minute), "0") == find_running(reports, at(minute), "0")
    changes = find_changes(reports, "0")
    assert all(earlier.after == later.before for earlier, later in pairwise(changes))


WHOLE = make(
    (0, "1.0", UPDATED),
    (1, "2.0", DOWNLOADING, "1.0"),
    (2, "2.0", DOWNLOADED),
    (3, "2.0", VERIFIED),
    (4, "2.0", UPDATING),
    (5, "2.0", UPDATED),
)


def test_an_update_from_its_first_step_to_its_last() -> None:
    assert find_attempts(WHOLE) == [
        UpdateAttempt(
            "main",
            "2.0",
            "1.0",
            at(1),
            at(5),
            AttemptOutcome.UPDATED,
            (DOWNLOADING, DOWNLOADED, VERIFIED, UPDATING, UPDATED),
            None,
            (),
        )
    ]
    assert [a.outcome for a in find_attempts(WHOLE[:4])] == [AttemptOutcome.UNDER_WAY]


def test_a_device_that_only_says_what_it_runs_tells_of_no_update() -> None:
    assert find_attempts(make((0, "1.0", UPDATED), (9, "1.0", UPDATED), (20, "1.0", UPDATED))) == []
    assert len(find_attempts([*WHOLE, *make((60, "2.0", UPDATED), (70, "2.0", UPDATED))])) == 1


def test_an_end_without_steps_is_an_update_and_is_marked() -> None:
    (attempt,) = find_attempts(make((0, "1.0", UPDATED), (9, "2.0", UPDATED, "1.5")))
    assert (attempt.outcome, attempt.previous) == (AttemptOutcome.UPDATED, "1.5")
    assert attempt.irregularities == (Irregularity.STEPS_MISSING, Irregularity.PREVIOUS_DIFFERS)


def test_failures_roll_backs_and_what_was_begun_again() -> None:
    found = find_attempts(
        make(
            (0, "1.0", UPDATED),
            (1, "2.0", DOWNLOADING),
            (2, "2.0", FAILED),
            (10, "2.0", DOWNLOADING),
            (11, "2.0", VERIFIED),
            (12, "2.0", DOWNLOADING),
            (13, "2.0", DOWNLOADING),
            (14, "2.0", UPDATED),
            (15, "2.0", FAILED, "1.0"),
            (20, "3.0", DOWNLOADING),
            (21, "4.0", UPDATING),
        )
    )
    assert [(a.version, a.outcome) for a in found] == [
        ("4.0", AttemptOutcome.UNDER_WAY),
        ("3.0", AttemptOutcome.ABANDONED),
        ("2.0", AttemptOutcome.ROLLED_BACK),
        ("2.0", AttemptOutcome.ABANDONED),
        ("2.0", AttemptOutcome.FAILED),
    ]
    assert found[2].irregularities == (Irregularity.REPEATED,)
    assert found[2].steps == (DOWNLOADING, UPDATED, FAILED)
    assert [a.previous for a in found] == ["1.0"] * 5


def test_a_step_that_came_late_stands_where_it_belongs_and_is_marked() -> None:
    late = [FirmwareEntry(99, *_fields(r)) if r.state is VERIFIED else r for r in WHOLE]
    (attempt,) = find_attempts(late)
    assert attempt.steps == (DOWNLOADING, DOWNLOADED, VERIFIED, UPDATING, UPDATED)
    assert attempt.irregularities == (Irregularity.OUT_OF_ORDER,)


def _fields(r: FirmwareEntry) -> tuple[datetime, datetime, str, str, FirmwareState]:
    return r.observed_at, r.received_at, r.component, r.version, r.state


def test_components_have_histories_of_their_own() -> None:
    reports = [*WHOLE, FirmwareEntry(50, at(3), at(3), "pump", "7.1", UPDATED)]
    assert [(r.component, r.version) for r in find_running(reports, at(9), "0.9")] == [("main", "2.0"), ("pump", "7.1")]
    assert [a.component for a in find_attempts(reports)] == ["main"]


def test_steps_never_go_back() -> None:
    order = list(FirmwareState)
    assert all(may_follow(a, b) == (order.index(b) > order.index(a)) for a in order for b in order)
