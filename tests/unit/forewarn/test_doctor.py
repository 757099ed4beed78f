"""What the doctor makes of versions, clocks, disks and signs of life."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from forewarn.doctor import (
    check_clock,
    check_database_clock,
    check_disk,
    check_heartbeats,
    check_python,
    check_standstills,
    check_webhooks,
)
from forewarn.finding import State
from store.heartbeats import Heartbeat
from store.installation_health import Flow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def beat(program: str, age_s: float) -> Heartbeat:
    return Heartbeat(program, "one", NOW - timedelta(seconds=age_s), NOW - timedelta(hours=1), {}, age_s)


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10, 9), State.BAD), ((3, 11, 0), State.GOOD), ((3, 14, 1), State.GOOD)]
)
def test_python(version: tuple[int, int, int], state: State) -> None:
    assert check_python(version).state is state


def test_a_clock_from_before_this_version_is_wrong() -> None:
    assert check_clock(datetime(1970, 1, 1, tzinfo=UTC)).state is State.BAD
    assert check_clock(NOW).state is State.GOOD


@pytest.mark.parametrize(("free", "state"), [(10**8, State.BAD), (10**9, State.NOTE), (10**11, State.GOOD)])
def test_disk(tmp_path: Path, free: int, state: State) -> None:
    finding = check_disk(tmp_path / "var" / "deeper", lambda _: Usage(10**12, 0, free))  # type: ignore[arg-type,return-value]
    assert finding.state is state
    assert str(tmp_path) in finding.detail


def test_silence_is_bad_and_absence_is_bad_only_where_it_should_run() -> None:
    beats = [beat("ingest", 1.0), beat("anomaly", 90.0), beat("anomaly", 3600.0)]
    running = {finding.subject: finding for finding in check_heartbeats(beats, running=True)}
    assert running["Program ingest"].state is State.GOOD
    assert running["Program anomaly"].state is State.BAD
    assert "0:01:30" in running["Program anomaly"].detail
    assert running["Program api"].state is State.BAD
    stopped = {finding.subject: finding for finding in check_heartbeats([], running=False)}
    assert {finding.state for finding in stopped.values()} == {State.NOTE}


def test_what_stands_still_is_bad_and_says_since_when_and_why() -> None:
    stands = {"what": "signs of life", "since": "2026-11-22T11:30:00+00:00", "problem": "no space left"}
    told = replace(beat("ingest", 1.0), details={"standstills": [stands]})
    assert list(check_standstills([beat("ingest", 1.0), beat("api", 1.0)])) == []
    (finding,) = check_standstills([told, beat("api", 1.0)])
    assert (finding.subject, finding.state) == ("Program ingest", State.BAD)
    assert finding.detail == "signs of life: nothing since 2026-11-22 11:30:00 UTC, no space left"


def test_a_database_with_another_clock_is_found() -> None:
    assert check_database_clock([], NOW) is None
    agreeing = check_database_clock([beat("ingest", 1.0)], NOW)
    apart = check_database_clock([beat("ingest", 1.0)], NOW - timedelta(seconds=60))
    assert agreeing is not None
    assert agreeing.state is State.GOOD
    assert apart is not None
    assert apart.state is State.BAD
    assert apart.detail.startswith("+60 s")


def test_webhooks_are_mentioned_where_something_is_the_matter() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    nothing = make_flow(at)
    assert list(check_webhooks(nothing)) == []
    fresh = replace(nothing, outbox_waiting=2, outbox_oldest_at=at - timedelta(seconds=3))
    assert [(f.state, f.advice) for f in check_webhooks(fresh)] == [(State.GOOD, "")]
    late = replace(nothing, outbox_waiting=2, outbox_oldest_at=at - timedelta(hours=3), deliveries_dead=1)
    assert [f.state for f in check_webhooks(late)] == [State.NOTE, State.NOTE]
    (gone,) = check_webhooks(replace(nothing, webhooks_gone=1))
    assert gone.state is State.BAD
    assert "410" in gone.detail


def make_flow(at: datetime) -> Flow:
    values: dict[str, object] = {field.name: 0 for field in fields(Flow)}
    return Flow(**values | {"at": at, "flavour": "postgresql", "outbox_oldest_at": None})  # type: ignore[arg-type]
