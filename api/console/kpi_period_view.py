"""Of which time and of whose records a page of figures is: read from the address, and written back into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from api.console.filters import Filter, find_choice
from api.console.page import View
from domain.kpi import KpiDimension, KpiQuery
from domain.kpi_period import LONGEST, PeriodUnit, find_buckets

DAYS = ("30", "90", "365")
USUAL_DAYS = "90"
SIMULATED = "simulated"
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. `wrong` names the field that cannot be used, with the sentence."""

    since: datetime
    until: datetime
    chosen: Mapping[str, str]  # the parts of the address that are not as usual
    wrong: Mapping[str, str]
    is_simulated: bool

    def make_query(self, view: View, *, group_by: str = "", unit: PeriodUnit | None = None) -> KpiQuery:
        """The question to the key figures; by calendar period over the year up to the end where there is a `unit`."""
        since = self.since if unit is None else min(self.since, self.until - YEAR)
        return KpiQuery(
            buckets=find_buckets(since, self.until, unit),
            now=view.now,
            group_by=frozenset({KpiDimension(group_by)} if group_by else ()),
            customer_id=view.person.customer_id,
            customers=_one(self.chosen["customer"]),
            regions=_one(self.chosen["region"]),
            models=_one(self.chosen["model"]),
            firmwares=_one(self.chosen["firmware"]),
            is_simulated=self.is_simulated,
        )

    def make_file_address(self, view: View, **more: str) -> str:
        """The same as a file: in the export log before it leaves."""
        names = ("customer", "region", "model", "firmware")
        filters = {name: self.chosen[name] for name in names}
        window = {"from": _write(self.since), "to": _write(self.until)}
        simulated = "true" if self.is_simulated else "false"
        return view.link("/api/v1/kpis", format="csv", **window, **filters, simulated=simulated, **more)


def read_asked(
    view: View, models: list[str], *, days: str, since: str, until: str, records: str, **filters: str
) -> Asked:
    """What is asked for: of the last so many days, or from one day to another (UTC, both included)."""
    days = find_choice(days, DAYS)
    records = find_choice(records, (SIMULATED,))
    filters = {name: text.strip()[:200] for name, text in filters.items()}
    filters["model"] = find_choice(filters.get("model", ""), models)
    chosen = {"days": "" if days == USUAL_DAYS else days, "from": since, "to": until, "records": records}
    chosen |= {name: filters.get(name, "") for name in ("customer", "region", "model", "firmware")}
    end, begin = view.now, view.now - timedelta(days=int(days or USUAL_DAYS))
    wrong: dict[str, str] = {}
    first, last = _read_day(since), _read_day(until)
    if until and last is None:
        wrong["to"] = view.t("kpis.no_day")
    elif last is not None:
        end = min(datetime.combine(last, time(), UTC) + timedelta(days=1), view.now)
        begin = end - timedelta(days=int(days or USUAL_DAYS))
    if since and first is None:
        wrong["from"] = view.t("kpis.no_day")
    elif first is not None:
        begin = datetime.combine(first, time(), UTC)
    if not wrong and begin >= end:
        wrong["from"] = view.t("kpis.day_order")
    elif not wrong and end - begin > LONGEST:
        wrong["from"] = view.t("kpis.too_long")
    return Asked(begin, end, chosen, wrong, records == SIMULATED)


def find_period_fields(view: View, asked: Asked) -> dict[str, Any]:
    """The period chooser: the last so many days, or two days."""
    options = [(days, view.t("kpis.last_days", count=int(days))) for days in DAYS if days != USUAL_DAYS]
    usual = view.t("kpis.last_days", count=int(USUAL_DAYS))
    return {
        "days": Filter("days", view.t("kpis.period"), asked.chosen["days"], options, usual),
        "from": asked.chosen["from"],
        "to": asked.chosen["to"],
        "wrong": asked.wrong,
        "said": view.t("kpis.said_period", since=say_instant(asked.since), until=say_instant(asked.until)),
    }


def find_record_filters(view: View, asked: Asked, models: list[str]) -> list[Filter]:
    """Of which model, and whether of real or simulated records."""
    everything = view.t("list.all")
    named = [(model, model) for model in models]
    simulated = [(SIMULATED, view.t("customers.simulated"))]
    return [
        Filter("model", view.t("column.model"), asked.chosen["model"], named, everything),
        Filter("records", view.t("customers.records"), asked.chosen["records"], simulated, view.t("customers.real")),
    ]


def say_instant(at: datetime) -> str:
    """An instant of a period: the day alone where a day begins."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d}" if utc.time() == time() else f"{utc:%Y-%m-%d %H:%M}"


def _one(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _write(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if date(1970, 1, 2) <= day <= date(9000, 1, 1) else None
