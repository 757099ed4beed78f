"""Charts that share one window of time, its controls and one lane of events: what templates and charts.js are given."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote, urlencode

from api.console.charts import Chart, name_zone
from api.console.instants import name_offset
from api.console.language import load_catalogue
from api.console.page import View
from domain.clock import from_micros, to_micros
from domain.roles import Permission

CSV_POINTS = 10_000  # as many as the readings of the API ever answer
# What charts.js says by itself.
WORDS = (
    "chart.rows", "chart.yes", "chart.not_loaded", "lane.list", "lane.row", "lane.row_FAULT", "lane.row_ORDER",
    "lane.row_SHELVED",
)  # fmt: skip
LEAST_SPAN = timedelta(seconds=10)
LONGEST = timedelta(days=5 * 365)  # further than so nobody zooms out


@dataclass(frozen=True, slots=True)
class Panels:
    """One group of charts. `source` is where other windows of it are fetched, "" for what is frozen.

    `stamp` are the lines that a picture carries: what proves it, or of when it is.
    """

    id: str
    label: str
    title: str
    serial: str
    window: tuple[float, float]
    earliest: float
    latest: float | None  # None: now, whenever that is
    zone: tzinfo
    says: str
    stamp: list[str]
    words: dict[str, str]
    charts: list[Chart] = field(default_factory=list)
    source: str = ""
    level: str = ""
    live: bool = False
    may_export: bool = False
    lane: dict[str, Any] | None = None

    @property
    def data(self) -> dict[str, Any]:
        """What charts.js reads of the group."""
        return {
            "window": self.window,
            "earliest": self.earliest,
            "latest": self.latest,
            "least": LEAST_SPAN.total_seconds(),
            "zone": name_zone(self.zone),
            "title": self.title,
            "stamp": self.stamp,
            "words": self.words,
            "source": self.source,
            "level": self.level,
            "live": self.live,
            "lane": self.lane,
        }

    def find_csv(self, chart: Chart) -> str:
        """Where the readings of that chart and window are as CSV; the API logs it as an export."""
        since, until = (from_micros(round(at * 1e6)).astimezone(UTC) for at in self.window)
        query = {
            "sensor": chart.key,
            "from": since.isoformat(),
            "to": until.isoformat(),
            "points": CSV_POINTS,
            "format": "csv",
        }
        return f"/api/v1/devices/{quote(self.serial, safe='')}/readings?{urlencode(query)}"


def find_words(view: View) -> dict[str, str]:
    """The messages of WORDS, their parameters left for the browser."""
    catalogue = load_catalogue(view.language)
    return {key: str(catalogue[key]) for key in WORDS}


def say_window(since: datetime, until: datetime, now: datetime, zone: tzinfo) -> str:
    """ "11-22 08:00 – 11-22 09:00 UTC+8"; the year stands where it is not this one."""
    first, last = since.astimezone(zone), until.astimezone(zone)
    this_year = now.astimezone(zone).year

    def say(at: datetime) -> str:
        return f"{at:%m-%d %H:%M}" if at.year == this_year else f"{at:%Y-%m-%d %H:%M}"

    return f"{say(first)} – {say(last)} {name_offset(last)}"


def to_seconds(at: datetime) -> float:
    """Seconds since 1970, as charts.js counts."""
    return to_micros(at) / 1e6


def may_export(view: View) -> bool:
    """Whether this person gets readings as a file: the right to read them is enough, the export is logged."""
    return view.may(Permission.READING_READ)
