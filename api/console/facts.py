"""Cards: what is known of a device, a customer, a finding, as label and value; what is not known says so."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from api.console.evidence_view import EvidenceView
from api.console.instants import name_duration
from api.console.monitor_names import name_monitor
from api.console.page import View
from domain.profile import Profile
from domain.roles import Permission
from store.work_order_pages import LinkedBreach, OrderCards


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a card. `code`: a text for machines, in a fixed-width face; `own`: written by people or devices."""

    label: str
    value: str
    code: bool = False
    own: bool = False


def say_day(view: View, day: date | None) -> str:
    """The day as ISO 8601, or that it is not known."""
    return view.t("fact.unknown") if day is None else day.isoformat()


def say_share(share: float | None) -> str:
    """A share in per cent, never rounded to nothing or to all; a dash where there is none."""
    if share is None:
        return "–"
    if 0.0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1.0:
        return "> 99.9%"
    return f"{100 * share:.1f}%"


def say_skew(skew_s: float | None) -> str:
    """How far a clock is ahead (+) or behind (−)."""
    if skew_s is None:
        return "–"
    return f"{'−' if skew_s < -0.05 else '+' if skew_s > 0.05 else ''}{abs(skew_s):,.1f} s"


def find_device_card(view: View, cards: OrderCards) -> dict[str, Any] | None:
    """The device card of a work order; None where it is about none."""
    if not cards.serial:
        return None
    return {
        "serial": cards.serial,
        "connectivity": cards.connectivity,
        "lifecycle": cards.lifecycle,
        "facts": find_device_facts(view, cards),
    }


def find_device_facts(view: View, cards: OrderCards) -> list[Fact]:
    """What is known of the device of an order."""
    t = view.t
    model = (cards.model_name or {}).get(view.language) or cards.model or ""
    return [
        Fact(t("fact.model"), model),
        Fact(t("fact.udi"), cards.udi or t("fact.unknown")),
        Fact(t("fact.lot"), cards.lot or t("fact.unknown")),
        Fact(t("fact.firmware"), cards.firmware or t("fact.unknown")),
        Fact(t("fact.installed"), say_day(view, cards.installed_on)),
        Fact(t("fact.warranty"), say_day(view, cards.warranty_end)),
        Fact(t("fact.calibration"), say_day(view, cards.calibration_due)),
        *([Fact(t("fact.gateway"), cards.gateway)] if cards.gateway else []),
        Fact(t("fact.open_work"), str(cards.open_orders_of_device)),
    ]


def find_customer_card(view: View, cards: OrderCards, region: str) -> dict[str, Any] | None:
    """The customer card; None where there is none."""
    if not cards.customer_name:
        return None
    return {"name": cards.customer_name, "facts": find_customer_facts(view, cards, region)}


def find_customer_facts(view: View, cards: OrderCards, region: str) -> list[Fact]:
    """What is known of its customer; people's names stand only for those whose work needs them."""
    t = view.t
    until = cards.contract_ends_on.isoformat() if cards.contract_ends_on else ""
    contract = (
        t("fact.contract_until", code=cards.contract_code, date=until) if cards.contract_code else t("fact.no_contract")
    )
    contacts = t("fact.hidden")
    if view.may(Permission.CUSTOMER_READ_CONTACTS):
        people = [
            " ".join(str(part) for part in (c.get("name"), c.get("phone"), c.get("email")) if part)
            for c in cards.contacts or []
        ]
        contacts = t("list.comma").join(person for person in people if person) or t("fact.unknown")
    site = " · ".join(part for part in (cards.site_name, cards.department) if part)
    return [
        *([Fact(t("fact.site"), site, own=True)] if site else []),
        Fact(t("fact.contract"), contract),
        *([Fact(t("fact.region"), region)] if region else []),
        Fact(t("fact.contacts"), contacts, own=contacts not in (t("fact.hidden"), t("fact.unknown"))),
        Fact(t("fact.open_work"), str(cards.open_orders_of_customer)),
    ]


def find_trust_facts(
    view: View, breach: LinkedBreach, evidence: EvidenceView | None, profile: Profile | None
) -> list[Fact]:
    """How far a finding may be trusted: which rule, on what data, and what proves that it was not touched."""
    t = view.t
    unknown = t("trust.not_known")
    monitor = view.t("code.beside", name=name_monitor(view, profile, breach.monitor), code=breach.monitor)
    facts = [
        Fact(t("trust.rule"), t("trust.rule_value", monitor=monitor, version=breach.profile_version)),
        Fact(t("trust.firmware"), breach.firmware or unknown),
        Fact(t("trust.score"), f"{breach.score:.1f}"),
        Fact(t("trust.completeness"), unknown if breach.completeness is None else say_share(breach.completeness)),
        Fact(t("trust.skew"), unknown if breach.skew_s is None else say_skew(breach.skew_s)),
    ]
    if evidence is not None:
        if evidence.detector:
            facts.append(Fact(t("trust.detector"), evidence.detector))
        facts.append(Fact(t("trust.samples"), f"{evidence.sample_count:,}"))
        facts.append(Fact(t("trust.gaps"), str(evidence.gap_count) if evidence.gap_count else t("trust.no_gaps")))
        if evidence.delay is not None:
            facts.append(Fact(t("trust.received"), name_duration(evidence.delay, view.language)))
    facts.append(Fact(t("trust.hash"), breach.evidence_sha256 or unknown, code=True))
    return facts
