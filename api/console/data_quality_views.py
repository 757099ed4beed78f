"""What stands on the data-quality page, line by line, in the words of its reader."""

from dataclasses import dataclass
from typing import Any

from api.console.facts import Fact, say_share, say_skew
from api.console.instants import Instant, name_duration
from api.console.page import View
from api.console.rejection_words import tell_detail
from domain.data_quality import AlertKind
from store.data_quality_queries import QualityDay
from store.ledger_queries import LedgerDay
from store.rejection_groups import RejectionGroup
from store.rejections import StoredRejection

PAYLOAD_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One day of the ledger as people read it; `terms` are what is summed up to `received`."""

    day: str
    messages: str
    received: str
    terms: list[Fact]
    late: str
    replayed: str


def find_ledger_line(view: View, day: LedgerDay) -> LedgerLine:
    """The equation of one day."""
    terms = {
        "stored": day.stored,
        "duplicates": day.duplicates,
        "conflicts": day.conflicts,
        "rejected": day.rejected,
    }
    return LedgerLine(
        day=day.day.isoformat(),
        messages=f"{day.messages:,}",
        received=f"{day.values_received:,}",
        terms=[Fact(view.t(f"data_quality.{name}"), f"{count:,}") for name, count in terms.items()],
        late=f"{day.late:,}",
        replayed=f"{day.replayed:,}",
    )


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of a device-day, and whether it is over its limit."""

    label: str
    text: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class QualityLine:
    """One device-day."""

    day: str
    serial: str
    customer: str
    alerts: list[str]
    ratios: list[Ratio]
    until: Instant | None  # None: the day is over
    is_simulated: bool


def find_quality_line(view: View, day: QualityDay) -> QualityLine:
    """Every ratio of the day, those over a limit marked."""
    shares = {
        AlertKind.MISSING: day.missing_ratio,
        AlertKind.DUPLICATE: day.duplicate_ratio,
        AlertKind.INCONSISTENT: day.inconsistent_ratio,
        AlertKind.IMPLAUSIBLE: day.implausible_ratio,
    }
    ratios = [
        Ratio(view.name("alert", kind.value), say_share(share), kind.value in day.alerts)
        for kind, share in shares.items()
    ]
    skew = AlertKind.CLOCK_SKEW
    ratios.append(Ratio(view.name("alert", skew.value), say_skew(day.skew_s), skew.value in day.alerts))
    return QualityLine(
        day=day.day.isoformat(),
        serial=day.serial,
        customer=day.customer_name or "",
        alerts=[view.name("alert", alert) for alert in day.alerts],
        ratios=ratios,
        until=None if day.is_over else view.when(day.judged_until),
        is_simulated=day.is_simulated,
    )


def find_completeness(view: View, completeness: float | None, skew_s: float | None) -> list[Fact]:
    """How far the data of a device may be trusted today."""
    skew = view.t("trust.not_known") if skew_s is None else say_skew(skew_s)
    known = view.t("trust.not_known") if completeness is None else say_share(completeness)
    return [Fact(view.t("trust.completeness"), known), Fact(view.t("trust.skew"), skew)]


def find_group_line(view: View, group: RejectionGroup, place: int) -> dict[str, Any]:
    """One cause with what can be done about it."""
    others = group.serials - len(group.some_serials)
    return {
        "place": place,
        "reason": group.reason,
        "pattern": group.field_pattern,
        "advice": view.name("rejection_advice", group.reason),
        "detail": tell_detail(view.language, group.example_detail or ""),
        "example_id": group.example_id,
        "count": f"{group.count:,}",
        "open": group.open,
        "serials": group.some_serials,
        "others": view.t("data_quality.more_serials", count=others) if others > 0 else "",
        "first": view.when(group.first_at),
        "last": view.when(group.last_at),
        "span": name_duration(group.last_at - group.first_at, view.language),
        "confirm": view.t("data_quality.replay_confirm", count=group.open, cause=view.name("rejection", group.reason)),
    }


def find_rejection_line(view: View, one: StoredRejection) -> dict[str, Any]:
    """One rejection with its payload, as far as a page shows it, and what came of its replay."""
    text = one.payload[:PAYLOAD_SHOWN].decode("utf-8", "backslashreplace")
    outcome = one.replay_outcome or {}
    return {
        "id": one.id,
        "at": view.when(one.received_at),
        "serial": one.serial or "–",
        "reason": one.reason,
        "field": one.field,
        "detail": tell_detail(view.language, one.detail),
        "topic": one.topic,
        "size": one.size,
        "is_whole": one.is_whole,
        "payload": text + ("…" if len(one.payload) > PAYLOAD_SHOWN or not one.is_whole else ""),
        "replay": one.replay,
        "replayed_at": view.when(one.replayed_at),
        "replay_by": view.who(one.replay_requested_by),
        "outcome": _say_outcome(view, one.replay, outcome),
    }


def _say_outcome(view: View, replay: str, outcome: dict[str, Any]) -> str:
    if replay == "replayed":
        return view.t(
            "data_quality.outcome_replayed",
            stored=f"{outcome.get('stored', 0):,}",
            duplicates=f"{outcome.get('duplicates', 0):,}",
            conflicts=f"{outcome.get('conflicts', 0):,}",
        )
    if replay == "still_refused":
        return view.t("data_quality.outcome_refused", reason=view.name("rejection", outcome.get("reason")))
    return ""
