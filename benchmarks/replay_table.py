"""What was found in replayed recordings against what their labels say: pure, from rows to a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Period:
    """One labelled fault, in the event time of the replay, both ends included; `start_s` after the first reading."""

    start: datetime
    end: datetime
    start_s: float

    def holds(self, instant: datetime) -> bool:
        """The instant lies in it."""
        return self.start <= instant <= self.end


@dataclass(frozen=True, slots=True)
class BreachFound:
    """One breach of the replayed device, and the order that it belongs to, if any."""

    raised_at: datetime
    monitor: str
    severity: str
    readings: int  # beyond the limit
    order: str | None
    opened_it: bool


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One line of the table: a labelled fault, or (without one) a whole recording that has none."""

    file: str
    fault_start_s: float | None
    first_breach_s: float | None  # after the first reading, like fault_start_s
    delay_s: float | None
    monitor: str | None
    ticket_delay_s: float | None
    breaches: int  # raised inside the fault
    readings_beyond: int  # readings beyond a limit in those
    orders_in_fault: int  # orders that those belong to: 0 or 1, or the promise is broken
    tickets: int  # orders of the whole recording
    false_tickets: int


def find_rows(file: str, first: datetime, periods: Sequence[Period], breaches: Sequence[BreachFound]) -> list[FaultRow]:
    """The lines of one recording; tickets and false tickets stand in its first line."""
    tickets = len({b.order for b in breaches if b.order is not None})
    false_tickets = sum(b.opened_it and not any(p.holds(b.raised_at) for p in periods) for b in breaches)
    rows: list[FaultRow] = []
    for period in periods:
        inside = sorted((b for b in breaches if period.holds(b.raised_at)), key=lambda b: b.raised_at)
        with_order = [b for b in inside if b.order is not None]
        rows.append(
            FaultRow(
                file=file,
                fault_start_s=period.start_s,
                first_breach_s=(inside[0].raised_at - first).total_seconds() if inside else None,
                delay_s=(inside[0].raised_at - period.start).total_seconds() if inside else None,
                monitor=inside[0].monitor if inside else None,
                ticket_delay_s=(with_order[0].raised_at - period.start).total_seconds() if with_order else None,
                breaches=len(inside),
                readings_beyond=sum(b.readings for b in inside),
                orders_in_fault=len({b.order for b in with_order}),
                tickets=tickets if not rows else 0,
                false_tickets=false_tickets if not rows else 0,
            )
        )
    if not rows:
        rows.append(FaultRow(file, None, None, None, None, None, 0, 0, 0, tickets, false_tickets))
    return rows


def find_summary(rows: Sequence[FaultRow], normal_hours: float) -> dict[str, Any]:
    """The figures of all recordings. `normal_hours` is the time outside of faults in which a ticket would be false."""
    faults = [row for row in rows if row.fault_start_s is not None]
    found = [row for row in faults if row.delay_s is not None]
    with_order = [row for row in faults if row.ticket_delay_s is not None]
    false_tickets = sum(row.false_tickets for row in rows)
    return {
        "files": len({row.file for row in rows}),
        "faults": len(faults),
        "detected": len(found),
        "with_order": len(with_order),
        "more_than_one_order": sum(row.orders_in_fault > 1 for row in faults),
        "median_delay_s": median([row.delay_s for row in found if row.delay_s is not None]) if found else None,
        "median_ticket_delay_s": (
            median([row.ticket_delay_s for row in with_order if row.ticket_delay_s is not None]) if with_order else None
        ),
        "readings_beyond_in_faults": sum(row.readings_beyond for row in faults),
        "tickets": sum(row.tickets for row in rows),
        "false_tickets": false_tickets,
        "normal_hours": round(normal_hours, 2),
    }


def render_markdown(rows: Sequence[FaultRow]) -> str:
    """The table of docs/benchmarks.md."""
    lines = [
        "| file | fault start, s | first breach, s | delay, s | first monitor | order after, s | breaches in fault "
        "| readings beyond | orders in fault | tickets | false tickets |",
        "|---|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            row.file,
            _number(row.fault_start_s),
            _number(row.first_breach_s, missing="not found" if row.fault_start_s is not None else "–"),
            _number(row.delay_s),
            f"`{row.monitor}`" if row.monitor else "–",
            _number(row.ticket_delay_s),
            *(str(n) for n in (row.breaches, row.readings_beyond, row.orders_in_fault, row.tickets, row.false_tickets)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None, missing: str = "–") -> str:
    return missing if value is None else f"{value:.0f}"
