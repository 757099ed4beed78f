"""Key figures with their definitions, by customer, region, model, firmware and period; as JSON or CSV."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Query
from starlette.responses import Response

from api.auth import Caller, require
from api.export_file import write_watermark
from api.once import change
from api.problems import INVALID, ProblemError, declare
from api.shapes.kpis import KpiFigureShape, Kpis, KpiShape, KpiText
from api.shapes.pages import Instant
from api.state import Database, now
from api.versioned_router import make_router
from domain.export import ExportWish, escape_cell, find_watermark
from domain.kpi import (
    MOST_FIGURES,
    Kpi,
    KpiDimension,
    KpiFigure,
    KpiQuery,
    find_figures,
    find_groups,
    find_withheld,
)
from domain.kpi_catalogue import KPI_BY_KEY, KPIS
from domain.kpi_period import LONGEST, MOST_BUCKETS, USUAL, PeriodUnit, find_buckets
from domain.profile import Text
from domain.roles import Permission
from store.exports import ExportFile, record_export, take_export_code
from store.kpis import find_unknown_names, load_counted_by_two
from store.pool import Connection, Pool

router = make_router("/kpis", tag="kpis")
Reader = Annotated[Caller, require(Permission.KPI_READ)]
From = Annotated[Instant | None, Query(alias="from", description="With offset; default: 90 days before `to`.")]
To = Annotated[Instant | None, Query(alias="to", description="With offset, not included; default: now.")]
Name = Annotated[str, Query(min_length=1, max_length=200)]
Filter = Annotated[list[Name] | None, Query(max_length=100, description="Any of these.")]
Grouping = Literal["customer", "region", "model", "firmware", "year", "quarter", "month", "week", "day"]
CSV_COLUMNS = (
    "kpi", "period", "from", "to", "customer", "region", "model", "firmware", "simulated", "value", "unit", "numerator",
    "denominator", "records", "left_out", "median", "p90", "reason", "definition",
)  # fmt: skip
_OK = {"content": {"text/csv": {"schema": {"type": "string"}}}}
_DIGITS = 9  # beyond them figures of the same records may differ by the order in which they were added


@router.get("", summary="Key figures", response_model=Kpis, responses=declare(ok=_OK))
def read_kpis(
    caller: Reader,
    pool: Database,
    kpi: Annotated[list[Name] | None, Query(max_length=100, description="Which; default: all.")] = None,
    since: From = None,
    until: To = None,
    group_by: Annotated[list[Grouping] | None, Query(description="Of the periods one at most; they are UTC.")] = None,
    customer: Filter = None,
    region: Annotated[list[str] | None, Query(max_length=100, description='Any of these; "": without one.')] = None,
    model: Filter = None,
    firmware: Annotated[list[str] | None, Query(max_length=100, description="Of the main component, then.")] = None,
    simulated: Annotated[bool | None, Query(description="Default: both, apart.")] = None,
    format: Annotated[  # noqa: A002 - the parameter's public name
        Literal["json", "csv"] | None, Query(description="Default: as `Accept` says, else json.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Each figure with its definition, what was divided by what, and how many records it rests on.

    A figure is null with a `reason` where there is nothing to divide by. As CSV it is a download, which the export log
    and the audit record before it is sent.
    """
    at = now()
    kpis = _choose_kpis(kpi or [])
    start, end = _find_window(since, until, at)
    dimensions = frozenset(KpiDimension(name) for name in group_by or () if name in set(KpiDimension))
    query = KpiQuery(
        buckets=find_buckets(start, end, _find_unit(group_by or [])),
        now=at,
        group_by=dimensions,
        customer_id=caller.customer_id,
        customers=tuple(customer or ()),
        regions=tuple(region or ()),
        models=tuple(model or ()),
        firmwares=tuple(firmware or ()),
        is_simulated=simulated,
    )
    if len(query.buckets) > MOST_BUCKETS:
        raise ProblemError(INVALID, fields={"group_by": f"gives more than {MOST_BUCKETS} periods: take longer ones"})
    found = load_figures(pool, caller, kpis, query)
    asked: dict[str, Any] = {
        "kpi": kpi,
        "from": since,
        "to": until,
        "group_by": group_by,
        "customer": customer,
        "region": region,
    }
    asked |= {"model": model, "firmware": firmware, "simulated": simulated}
    if format == "csv" or (format is None and _wants_csv(accept)):
        return _send_csv(pool, caller, found, {name: value for name, value in asked.items() if value is not None}, at)
    shape = Kpis(
        from_=start,
        to=end,
        computed_at=at,
        group_by=list(dict.fromkeys(group_by or ())),
        items=[_describe(one, figures) for one, figures in found],
    )
    return Response(shape.model_dump_json(by_alias=True), media_type="application/json", headers={"Vary": "Accept"})


def _choose_kpis(keys: Sequence[str]) -> Sequence[Kpi]:
    unknown = [key for key in keys if key not in KPI_BY_KEY]
    if unknown:
        raise ProblemError(INVALID, fields={"kpi": f"has no {', '.join(unknown)}; there are {', '.join(KPI_BY_KEY)}"})
    return [KPI_BY_KEY[key] for key in dict.fromkeys(keys)] or KPIS


def _find_window(since: datetime | None, until: datetime | None, at: datetime) -> tuple[datetime, datetime]:
    try:
        end = until or at
        start = since or min(end, at) - USUAL
        too_long = end - start > LONGEST
    except OverflowError:
        raise ProblemError(INVALID, fields={"to": "is out of range"}) from None
    if start >= end:
        raise ProblemError(INVALID, fields={"from": "must be before `to`"})
    if start >= at:
        raise ProblemError(INVALID, fields={"from": "lies in the future"})
    if too_long:
        raise ProblemError(INVALID, fields={"from": "at most ten years before `to`"})
    return start, end


def _find_unit(group_by: Sequence[str]) -> PeriodUnit | None:
    units = [PeriodUnit(name) for name in dict.fromkeys(group_by) if name in set(PeriodUnit)]
    if len(units) > 1:
        raise ProblemError(INVALID, fields={"group_by": f"names {' and '.join(units)}: of the periods one at most"})
    return units[0] if units else None


def _wants_csv(accept: str) -> bool:
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return "text/csv" in kinds and "application/json" not in kinds


def load_figures(pool: Pool, caller: Caller, kpis: Sequence[Kpi], query: KpiQuery) -> list[tuple[Kpi, list[KpiFigure]]]:
    """The figures of each key figure, of what the caller may have counted; the console's pages show the same.

    Raises
    ------
    ProblemError
        422: a customer or model that the caller does not know, or more figures than are given at once.
    """
    if query.customers or query.models:
        with pool.connection() as conn:
            unknown = find_unknown_names(conn, query)
        fields = {"customer": unknown.customers, "model": unknown.models}
        problems = {
            name: f"there is no {', '.join(names)}, or it is not yours to see"
            for name, names in fields.items()
            if names
        }
        if problems:
            raise ProblemError(INVALID, fields=problems)
    withheld = {kpi.key: find_withheld(kpi, query, caller.permissions) for kpi in kpis}
    counted = load_counted_by_two(pool, {s for kpi in kpis if withheld[kpi.key] is None for s in kpi.sources}, query)
    groups = find_groups(counted, query)
    if len(groups) * len(query.buckets) * len(kpis) > MOST_FIGURES:
        raise ProblemError(INVALID, fields={"group_by": f"gives more than {MOST_FIGURES} figures: ask for less"})
    return [(kpi, find_figures(kpi, counted, query, groups, withheld[kpi.key])) for kpi in kpis]


def _describe(kpi: Kpi, figures: Sequence[KpiFigure]) -> KpiShape:
    return KpiShape(
        key=kpi.key,
        name=_describe_text(kpi.name),
        definition=_describe_text(kpi.definition),
        numerator=_describe_text(kpi.numerator),
        denominator=_describe_text(kpi.denominator),
        unit=kpi.unit,
        better=kpi.better.value,
        figures=[_describe_figure(figure) for figure in figures],
    )


def _describe_text(text: Text) -> KpiText:
    return KpiText(en=text.en, zh=text.zh)


def _describe_figure(figure: KpiFigure) -> KpiFigureShape:
    group = figure.group
    return KpiFigureShape(
        period=figure.bucket.name,
        from_=figure.bucket.since,
        to=figure.bucket.until,
        customer=group.customer,
        region=group.region,
        model=group.model,
        firmware=group.firmware,
        simulated=group.is_simulated,
        value=_round(figure.value),
        numerator=round(figure.numerator, _DIGITS),
        denominator=round(figure.denominator, _DIGITS),
        records=figure.records,
        left_out=figure.left_out,
        median=_round(figure.median),
        p90=_round(figure.p90),
        reason=None if figure.reason is None else figure.reason.value,
        detail=[dict(part) for part in figure.detail],
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _send_csv(
    pool: Pool, caller: Caller, found: Sequence[tuple[Kpi, list[KpiFigure]]], asked: dict[str, Any], at: datetime
) -> Response:
    """The figures as a download, in the export log before it leaves; the watermark is a header, so that the first line
    stays that of the columns."""
    rows = list(_iterate_rows(found))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(rows)
    content = text.getvalue().encode()
    file = ExportFile(len(rows), len(content), hashlib.sha256(content).hexdigest())
    wish = ExportWish("kpis", "csv", asked, CSV_COLUMNS)

    def log(conn: Connection) -> str:
        code = take_export_code(conn, at)
        record_export(conn, caller.actor, code, wish, file, customer_id=caller.customer_id, approval=None, now=at)
        return code

    code = change(pool, log)
    headers = {
        "Content-Disposition": f'attachment; filename="{code}_kpis.csv"',
        "X-Forewarn-Watermark": write_watermark(find_watermark(code, caller.full_name, caller.name, at)),
        "X-Content-SHA256": file.sha256,
        "Vary": "Accept",
    }
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _iterate_rows(found: Sequence[tuple[Kpi, list[KpiFigure]]]) -> Iterator[list[str]]:
    for kpi, figures in found:
        for one in figures:
            shape = _describe_figure(one)
            names = (shape.customer, shape.region, shape.model, shape.firmware)
            yield [
                kpi.key,
                shape.period,
                _write_instant(shape.from_),
                _write_instant(shape.to),
                *(escape_cell(name or "") for name in names),
                str(shape.simulated).lower(),
                _write_number(shape.value),
                kpi.unit,
                _write_number(shape.numerator),
                _write_number(shape.denominator),
                str(shape.records),
                str(shape.left_out),
                _write_number(shape.median),
                _write_number(shape.p90),
                shape.reason or "",
                kpi.definition.en,
            ]


def _write_instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _write_number(value: float | None) -> str:
    return "" if value is None else repr(value)
