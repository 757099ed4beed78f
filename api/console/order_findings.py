"""What shows why an order was opened: its breaches, the evidence of the one that is looked at, how far to trust it."""

from collections.abc import Sequence
from typing import Any

from api.console.evidence_strip import load_strip
from api.console.evidence_view import find_evidence
from api.console.facts import find_trust_facts
from api.console.order_records import OrderRecords
from api.console.order_rows import find_fault, find_sentence
from api.console.page import View
from domain.profile import Profile
from store.pool import Pool
from store.work_order_pages import LinkedBreach

MOST_BREACHES = 12  # of which one may be picked; the newest


def find_shown(breaches: Sequence[LinkedBreach], wanted: str) -> LinkedBreach | None:
    """The breach asked for; else the earliest one with readings to draw; else the one that opened the order."""
    drawn = [b for b in breaches if any(series.get("points") for series in (b.evidence or {}).get("series", []))]
    asked = next((b for b in breaches if str(b.id) == wanted), None)
    first = drawn or breaches
    return asked or (first[-1] if first else None)


def load_findings(view: View, pool: Pool, records: OrderRecords, wanted: str) -> dict[str, Any]:
    """The breaches of the order with everything about one of them, by the names of the page's template."""
    breaches, profile = records.breaches, records.profile
    shown = find_shown(breaches, wanted)
    evidence = find_evidence(view, shown, profile, records.zone) if shown is not None else None
    charts = evidence.charts if evidence else []
    return {
        "breaches": _find_choices(view, records, shown),
        "breach_sentence": find_sentence(view, shown.reason_code, shown.params)
        if shown and len(breaches) > 1
        else None,
        "evidence": evidence,
        "strip": load_strip(view, pool, shown, profile),
        "limit_words": view.t("list.comma").join(limit.label for chart in charts for limit in chart.limits),
        "contributions": evidence.contributions if evidence else [],
        "trust": find_trust_facts(view, shown, evidence, profile) if shown else [],
    }


def _find_choices(view: View, records: OrderRecords, shown: LinkedBreach | None) -> list[dict[str, Any]]:
    """One for each breach, the first one first."""
    # A breach without a sensor (the device's own alarm, silence) is named by what its order is about.
    fault = find_fault(view, records.profiles, records.cards.model, records.order.fault_group)
    numbered = list(enumerate(records.breaches))[::-1]
    return [
        {
            "id": b.id,
            "label": f"{len(numbered) - place} {_name_sensor(view, records.profile, b.sensor) or fault}",
            "shown": shown is not None and b.id == shown.id,
        }
        for place, b in numbered
    ][-MOST_BREACHES:]


def _name_sensor(view: View, profile: Profile | None, key: str | None) -> str:
    sensor = profile.find_sensor(key) if profile and key else None
    return key or "" if sensor is None else view.say(sensor.label)
