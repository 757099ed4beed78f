"""Key figures: all of them with what they rest on, and one of them by group and by month."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.actor_profiles import load_profiles_of
from api.console.filters import Filter, find_choice
from api.console.kpi_look import find_look
from api.console.kpi_period_view import SIMULATED, Asked, find_period_fields, find_record_filters, read_asked
from api.console.kpi_views import find_actors, find_figure_line, find_group_lines, find_month_lines, find_trend
from api.console.page import View, find_view
from api.problems import not_found
from api.routes.kpis import load_figures
from api.state import Database
from domain.kpi import Kpi, KpiDimension, KpiFigure
from domain.kpi_catalogue import KPI_BY_KEY, KPIS
from domain.kpi_of_quality import QUALITY_KPIS
from domain.kpi_of_service import SERVICE_KPIS
from domain.kpi_period import PeriodUnit
from domain.roles import Permission
from store.customers import load_customer
from store.devices import has_simulated_devices
from store.place_names import load_place_names
from store.pool import Pool
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.KPI_READ)]
Day = Annotated[str, Query(max_length=20)]
UNITS = (PeriodUnit.MONTH, PeriodUnit.WEEK, PeriodUnit.QUARTER, PeriodUnit.YEAR)
MOST_GROUPS = 200


def read_address(
    days: str = "",
    since: Annotated[Day, Query(alias="from")] = "",
    to: Day = "",
    customer: str = "",
    region: str = "",
    model: str = "",
    firmware: str = "",
    records: str = "",
    anew: str = "",
) -> dict[str, str]:
    """Of which time and of whose records: the same in the address of every page here. `anew` counts at this look."""
    period = {"days": days, "since": since, "until": to, "records": records, "anew": "1" if anew else ""}
    return period | {"customer": customer, "region": region, "model": model, "firmware": firmware}


Address = Annotated[dict[str, str], Depends(read_address)]


@router.get("/kpis")
def show_kpis(request: Request, pool: Database, caller: Reader, address: Address) -> Response:
    """Every key figure of the period with its value, its parts and its definition."""
    view = find_view(request, caller)
    asked, models = _read(view, pool, address)
    if asked.wrong:
        form = _find_form(view, asked, models, "/kpis")
        return view.render("kpis.html", 422, parts=[], file=None, trends=None, counted=None, simulated=None, **form)
    look = find_look(view, asked, "/kpis", lambda: load_figures(pool, caller, KPIS, asked.make_query(view)))
    asked = look.asked
    form = _find_form(view, asked, models, "/kpis")
    figures = {kpi.key: found[0] for kpi, found in look.figures}
    chosen = asked.chosen
    return view.render(
        "kpis.html",
        parts=[
            {
                "code": code,
                "lines": [
                    {
                        "figure": find_figure_line(view, kpi, figures[kpi.key]),
                        "href": view.link(f"/kpis/{kpi.key}", **chosen),
                    }
                    for kpi in kpis
                ],
            }
            for code, kpis in (("service", SERVICE_KPIS), ("quality", QUALITY_KPIS))
        ],
        file=asked.make_file_address(view),
        trends=view.link("/kpi-trends", **chosen, anew=address["anew"]),
        counted=look.describe(view),
        simulated=_find_simulated(view, pool, asked, figures.values()),
        **form,
    )


def _find_simulated(view: View, pool: Pool, asked: Asked, figures: Iterable[KpiFigure]) -> str | None:
    """Where the same is counted of simulated records: for whoever finds none here, if there are such devices."""
    if asked.is_simulated or any(figure.records for figure in figures):
        return None
    with pool.connection() as conn:
        there = has_simulated_devices(conn, customer_id=view.person.customer_id)
    return view.link("/kpis", **{**asked.chosen, "records": SIMULATED}) if there else None


@router.get("/kpi-trends")
def show_kpi_trends(request: Request, pool: Database, caller: Reader, address: Address) -> Response:
    """The months of every key figure as drawings, which the page of all figures fetches when it is there."""
    view = find_view(request, caller)
    asked, _ = _read(view, pool, address)
    if asked.wrong:
        return view.render("parts/kpi_trends.html", 422, trends=[])
    look = find_look(
        view,
        asked,
        "/kpi-trends",
        lambda: load_figures(pool, caller, KPIS, asked.make_query(view, unit=PeriodUnit.MONTH)),
    )
    trends = [
        {
            "key": kpi.key,
            "trend": find_trend(view, kpi, figures),
            "href": view.link(f"/kpis/{kpi.key}", **asked.chosen),
        }
        for kpi, figures in look.figures
    ]
    return view.render("parts/kpi_trends.html", trends=trends)


@router.get("/kpis/{key}")
def show_kpi(
    request: Request,
    pool: Database,
    caller: Reader,
    key: str,
    address: Address,
    group_by: str = "",
    unit: str = "",
) -> Response:
    """One key figure: what it means, by group, and by calendar period over the last year."""
    view = find_view(request, caller)
    kpi = KPI_BY_KEY.get(key)
    if kpi is None:
        raise not_found("key figure", key, "key")
    asked, models = _read(view, pool, address)
    dimension = find_choice(group_by, set(KpiDimension)) or KpiDimension.MODEL.value
    period = PeriodUnit(find_choice(unit, UNITS) or PeriodUnit.MONTH)
    shown: dict[str, Any] = {"key": key, "file": None, "figure": None, "groups": [], "months": [], "actors": []}
    shown["counted"] = None
    if asked.wrong:
        form = _find_form(view, asked, models, f"/kpis/{key}")
        form["filters"] += [_find_groups(view, dimension), _find_units(view, period)]
        return view.render("kpi.html", 422, **form, **_describe(view, kpi), **shown)
    queries = (
        asked.make_query(view),
        asked.make_query(view, group_by=dimension),
        asked.make_query(view, unit=period),
    )
    look = find_look(
        view,
        asked,
        f"/kpis/{key}",
        lambda: [found for query in queries for found in load_figures(pool, caller, [kpi], query)],
        group_by=dimension,
        unit=period.value,
    )
    asked = look.asked
    (_, (total,)), (_, groups), (_, months) = look.figures
    form = _find_form(view, asked, models, f"/kpis/{key}")
    form["filters"] += [_find_groups(view, dimension), _find_units(view, period)]
    codes = [figure.group.customer for figure in groups]
    with pool.connection() as conn:
        names = load_place_names(conn, customers=codes, customer_id=view.person.customer_id).customers
    shown |= {
        "counted": look.describe(view),
        "file": asked.make_file_address(view, kpi=key, group_by=dimension),
        "figure": find_figure_line(view, kpi, total),
        "groups": find_group_lines(view, kpi, groups, dimension, names)[:MOST_GROUPS],
        "group_total": len(groups),
        "months": find_month_lines(view, kpi, months, at=look.at),
        "actors": find_actors(view, total.detail, total.denominator, load_profiles_of(pool, [(kpi, [total])])),
    }
    return view.render("kpi.html", **form, **_describe(view, kpi), **shown, dimension=dimension, unit=period.value)


def _read(view: View, pool: Pool, address: Mapping[str, str]) -> tuple[Asked, list[str]]:
    """What is asked for, and the models that there are. A customer that is not there is named as wrong."""
    with pool.connection() as conn:
        models = sorted(load_profiles(conn))
        asked = read_asked(view, models, **{name: text for name, text in address.items() if name != "anew"})
        code = asked.chosen["customer"]
        if code and load_customer(conn, code, customer_id=view.person.customer_id) is None:
            wrong = {**asked.wrong, "customer": view.t("kpis.no_customer")}
            asked = Asked(asked.since, asked.until, asked.chosen, wrong, asked.is_simulated)
    return asked, models


def _find_form(view: View, asked: Asked, models: list[str], action: str) -> dict[str, Any]:
    return {
        "action": action,
        "period": find_period_fields(view, asked),
        "texts": [
            (name, view.t(label), asked.chosen[name])
            for name, label in (
                ("customer", "kpis.customer_code"),
                ("region", "fact.region"),
                ("firmware", "fact.firmware"),
            )
        ],
        "filters": find_record_filters(view, asked, models),
        "filtered": any(asked.chosen.values()),
        "back": view.link("/kpis", **asked.chosen),
    }


def _describe(view: View, kpi: Kpi) -> dict[str, Any]:
    return {"kpi": {"name": view.say(kpi.name), "key": kpi.key}}


def _find_groups(view: View, dimension: str) -> Filter:
    options: Sequence[KpiDimension] = [one for one in KpiDimension if one is not KpiDimension.MODEL]
    named = [(one.value, view.t(f"kpis.by_{one}")) for one in options]
    chosen = "" if dimension == KpiDimension.MODEL else dimension
    return Filter("group_by", view.t("kpis.group_by"), chosen, named, view.t("kpis.by_model"))


def _find_units(view: View, unit: PeriodUnit) -> Filter:
    named = [(one.value, view.t(f"kpis.per_{one}")) for one in UNITS[1:]]
    chosen = "" if unit is PeriodUnit.MONTH else unit.value
    return Filter("unit", view.t("kpis.trend_by"), chosen, named, view.t("kpis.per_month"))
