"""Figures of a whole period, counted once for all looks of a minute: shown with when they were counted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from api.console.instants import name_offset
from api.console.kpi_period_view import Asked
from api.console.page import View
from api.state import find_state

LASTS = timedelta(minutes=1)
Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Counted:
    """When the figures were counted, in words, and the address that counts them anew."""

    said: str
    anew: str


@dataclass(frozen=True, slots=True)
class Look(Generic[Figures]):
    """What a page shows: the figures, and what was asked for when they were counted, its period being theirs."""

    at: datetime
    asked: Asked
    figures: Figures
    address: str

    def describe(self, view: View) -> Counted:
        """What the page says of it: in the zone of the page's foot, to the second."""
        return Counted(say_counted(view, self.at), self.address)


def say_counted(view: View, at: datetime) -> str:
    """When something was counted that the page keeps."""
    local = at.astimezone(view.find_zone())
    return view.t("kpis.counted_at", at=f"{local:%H:%M:%S} {name_offset(local)}")


def find_look(view: View, asked: Asked, path: str, count: Callable[[], Figures], **more: str) -> Look[Figures]:
    """The figures that `count` gives, or those of the last minute for the same page, filters and rights.

    `path` and `more` (grouping, unit) tell what is counted. Who sees fewer customers or kinds of records has figures of
    their own. `anew` in the address counts in any case, for everybody who looks after that.
    """
    key = ("kpis", path, tuple(sorted(asked.chosen.items())), tuple(sorted(more.items())))
    at, (then, figures) = find_state(view.request).recent.find(
        key,
        lambda: (asked, count()),
        who=view.person,
        at=view.now,
        lasts=LASTS,
        anew=bool(view.request.query_params.get("anew")),
    )
    return Look(at, then, figures, view.link(path, **asked.chosen, **more, anew="1"))
