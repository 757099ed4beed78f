"""What is kept how long, in words: space, the oldest day, what goes next, and what a change would take away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from api.console.acts import Act, Field
from api.console.forms import Typed, find_signature_fields
from api.console.instants import Instant
from api.console.page import View
from api.kept_overview import KeptLine
from domain.approval_request import ApprovalRequest
from domain.retention import FEWEST_DAYS, FOR_EVER, KeptClass, find_days_lost
from domain.roles import Permission

ASK_ACT = "retention_ask"
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Line:
    """One class of the table."""

    code: str
    name: str
    what: str
    days: str
    by: str  # who decided: the request, or the setting
    request: str
    request_href: str
    space: str
    oldest: str
    next: str
    applied: Instant | None
    waiting: str  # an open request


def say_size(size: int | None) -> str:
    """Bytes in the largest unit of which there is one, three digits."""
    if size is None:
        return "–"
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 99.5 else f"{value:.1f} {UNITS[unit]}"


def say_days(view: View, days: int | None) -> str:
    """So many days, for ever, or that nobody knows yet."""
    if days is None:
        return view.t("retention.not_applied")
    return view.t("retention.for_ever") if days == FOR_EVER else view.t("retention.days", count=days)


def find_lines(view: View, lines: Sequence[KeptLine], asked: Mapping[str, ApprovalRequest]) -> list[Line]:
    """Every class as a line of the table."""
    return [_find_line(view, line, asked.get(line.kept)) for line in lines]


def _find_line(view: View, line: KeptLine, asked: ApprovalRequest | None) -> Line:
    row, t = line.row, view.t
    space = say_size(line.bytes_)
    if line.series is not None:
        known = t("retention.about", size=space) if line.bytes_ is not None else space
        space = f"{known} · {t('retention.series', count=line.series)}"
    request = row.request or ""
    return Line(
        line.kept.value,
        view.name("kept", line.kept),
        view.name("kept_what", line.kept),
        say_days(view, row.days),
        t("retention.by_people") if request else t("retention.by_setting"),
        request,
        f"/approvals/{request}" if request and view.may(Permission.APPROVAL_REQUEST_READ) else "",
        space,
        "–" if line.oldest is None else line.oldest.isoformat(),
        _say_next(view, line),
        view.when(row.applied_at),
        asked.code if asked else "",
    )


def _say_next(view: View, line: KeptLine) -> str:
    if line.row.days == FOR_EVER:
        return view.t("retention.never")
    if line.next_removal is None:
        return "–"
    today = view.now.date()
    return view.t("retention.next_round") if line.next_removal <= today else line.next_removal.isoformat()


def find_loss(view: View, line: KeptLine, days: int, today: date) -> str:
    """What would become of what is there, in a sentence."""
    if line.oldest is None:
        return view.t("retention.loss_unknown")
    lost = find_days_lost(line.oldest, days, today)
    if lost == 0:
        return view.t("retention.loss_none")
    first = line.oldest.isoformat()
    size = "–"
    if line.bytes_ is not None:
        size = say_size(round(line.bytes_ * lost / max((today - line.oldest).days + 1, 1)))
    return view.t("retention.loss", count=lost, first=first, size=size)


def find_ask_act(view: View, lines: Sequence[KeptLine], typed: Typed, *, chosen: str, is_shown: bool) -> Act:
    """Asking for other days: at first to be shown what it does, then to be signed."""
    label = view.t("retention.ask")
    if not view.may(Permission.RETENTION_WRITE):
        refusal = view.say_missing(Permission.RETENTION_WRITE)
        return Act(ASK_ACT, label, refusal=refusal)
    if view.person.customer_id is not None:
        return Act(ASK_ACT, label, refusal=view.t("retention.not_yours"))
    options = tuple((line.kept.value, view.name("kept", line.kept)) for line in lines)
    fields = [
        Field("kept", view.t("retention.class"), "select", typed.values.get("kept", chosen), options,
              wrong=typed.wrong.get("kept", "")),
        Field("days", view.t("retention.new_days"), "text", typed.values.get("days", ""),
              why=view.t("retention.days_why"), wrong=typed.wrong.get("days", "")),
        Field("reason", view.t("field.reason"), "textarea", typed.values.get("reason", ""), limit=2_000,
              wrong=typed.wrong.get("reason", "")),
    ]  # fmt: skip
    if is_shown:
        fields += find_signature_fields(view, typed, view.t("retention.meaning"))
    return Act(
        ASK_ACT,
        label,
        submit=view.t("retention.ask_do" if is_shown else "retention.show"),
        action="/admin/retention/requests#ask",
        to="ask" if is_shown else "show",
        explain=view.t("retention.ask_why"),
        fields=tuple(fields),
        open=bool(typed.act or chosen),
    )


def find_limits(view: View) -> list[tuple[str, str]]:
    """The fewest days of each class."""
    return [(view.name("kept", kept), view.t("retention.days", count=FEWEST_DAYS[kept])) for kept in KeptClass]
