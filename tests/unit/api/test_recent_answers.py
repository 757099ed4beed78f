"""Answers of a moment ago: as old as is said, of what was asked, and no more than fit."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from api.recent_answers import RecentAnswers

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Viewer:
    """Who asks."""

    customer_id: int | None = None
    permissions: frozenset[str] = frozenset({"device.read"})


WHO = Viewer()


def test_an_answer_lasts_as_long_as_is_said() -> None:
    kept, made = RecentAnswers(), iter(range(10))

    def ask(seconds: int, *, key: str = "a", anew: bool = False) -> tuple[float, int]:
        now = AT + timedelta(seconds=seconds)
        at, found = kept.find(key, lambda: next(made), who=WHO, at=now, lasts=MINUTE, anew=anew)
        return (at - AT).total_seconds(), found

    assert ask(0) == (0, 0)
    assert ask(59) == (0, 0)
    assert ask(59, key="b") == (59, 1)
    assert ask(60) == (60, 2)
    assert ask(70, anew=True) == (70, 3)
    assert ask(71) == (70, 3)
    assert ask(10) == (10, 4), "a clock that was set back does not keep an answer for hours"


def test_what_was_asked_for_last_is_kept() -> None:
    kept, made = RecentAnswers(most=2), iter(range(10))
    found = [kept.find(key, lambda: next(made), who=WHO, at=AT, lasts=MINUTE)[1] for key in "abacab"]
    assert found == [0, 1, 0, 2, 0, 3]


def test_what_failed_is_asked_again() -> None:
    kept = RecentAnswers()

    def fail() -> int:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        kept.find("a", fail, who=WHO, at=AT, lasts=MINUTE)
    assert kept.find("a", lambda: 7, who=WHO, at=AT, lasts=MINUTE) == (AT, 7)


def test_an_answer_is_for_those_who_may_see_the_same() -> None:
    kept, made = RecentAnswers(), iter(range(10))
    less, more = frozenset({"device.read"}), frozenset({"device.read", "capa.read"})

    def ask(customer_id: int | None, permissions: frozenset[str]) -> int:
        who = Viewer(customer_id, permissions)
        return kept.find("a", lambda: next(made), who=who, at=AT, lasts=MINUTE)[1]

    seen = [ask(customer, rights) for customer in (None, 1, 2) for rights in (less, more)]
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [ask(customer, rights) for customer in (None, 1, 2) for rights in (less, more)] == seen
