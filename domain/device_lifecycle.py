"""The life-cycle of a device, from the register to the day it is gone: pure steps, each refusal naming its guard.

REGISTERED -> INSTALLED -> IN_SERVICE <-> UNDER_MAINTENANCE; IN_SERVICE <-> QUARANTINED; from each to DECOMMISSIONED.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.roles import Permission


class Lifecycle(StrEnum):
    """Values stand in the database and never change."""

    REGISTERED = "REGISTERED"
    INSTALLED = "INSTALLED"
    IN_SERVICE = "IN_SERVICE"
    UNDER_MAINTENANCE = "UNDER_MAINTENANCE"
    QUARANTINED = "QUARANTINED"
    DECOMMISSIONED = "DECOMMISSIONED"


class LifecycleGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    NOT_PLACED = "not_placed"
    NOT_INSTALLED_YET = "not_installed_yet"
    OPEN_WORK_ORDERS = "open_work_orders"
    ACCOUNT_ACTIVE = "account_active"


_L = Lifecycle
TRANSITIONS: dict[Lifecycle, frozenset[Lifecycle]] = {
    _L.REGISTERED: frozenset({_L.INSTALLED, _L.DECOMMISSIONED}),
    _L.INSTALLED: frozenset({_L.IN_SERVICE, _L.DECOMMISSIONED}),
    _L.IN_SERVICE: frozenset({_L.UNDER_MAINTENANCE, _L.QUARANTINED, _L.DECOMMISSIONED}),
    _L.UNDER_MAINTENANCE: frozenset({_L.IN_SERVICE, _L.DECOMMISSIONED}),
    _L.QUARANTINED: frozenset({_L.IN_SERVICE, _L.DECOMMISSIONED}),
    _L.DECOMMISSIONED: frozenset(),
}
# In which a device may come into the register.
FIRST = (_L.REGISTERED, _L.INSTALLED, _L.IN_SERVICE)
# What must be said with its reason: people will ask.
_NEEDS_REASON = frozenset({_L.UNDER_MAINTENANCE, _L.QUARANTINED, _L.DECOMMISSIONED})


@dataclass(frozen=True, slots=True)
class LifecycleFacts:
    """What the guards must know of the device."""

    lifecycle: Lifecycle
    has_site: bool
    installed_on: date | None
    open_orders: tuple[str, ...] = ()  # codes
    has_account: bool = False  # at the broker, on record
    can_revoke: bool = True  # the program reaches the broker's accounts


@dataclass(frozen=True, slots=True)
class LifecycleRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: LifecycleGuard
    detail: str


def find_first_lifecycle(*, has_site: bool, installed_on: date | None) -> Lifecycle:
    """What a device is that comes into the register and of which nothing else is said: in service where it is known
    since when it stands where."""
    return _L.IN_SERVICE if has_site and installed_on is not None else _L.REGISTERED


def find_lifecycle_refusal(
    to: Lifecycle, facts: LifecycleFacts, *, permission: str, reason: str, today: date
) -> LifecycleRefusal | None:
    """The first guard that refuses the step, or None. `today` is that of the device's site."""
    if to not in TRANSITIONS[facts.lifecycle]:
        possible = ", ".join(sorted(TRANSITIONS[facts.lifecycle])) or "nothing"
        detail = f"a device that is {facts.lifecycle} does not become {to}; possible is {possible}"
        return LifecycleRefusal(LifecycleGuard.NO_SUCH_TRANSITION, detail)
    if permission != Permission.MASTER_DATA_WRITE:
        return LifecycleRefusal(LifecycleGuard.PERMISSION_MISSING, f"this needs {Permission.MASTER_DATA_WRITE}")
    quarantine_ends = facts.lifecycle is _L.QUARANTINED
    if (to in _NEEDS_REASON or quarantine_ends) and not reason.strip():
        what = "that a device leaves quarantine" if quarantine_ends else f"that a device becomes {to}"
        return LifecycleRefusal(LifecycleGuard.REASON_MISSING, f"{what} needs its reason")
    if to is _L.INSTALLED:
        return _find_place_refusal(facts, today)
    if to is _L.DECOMMISSIONED:
        return _find_end_refusal(facts)
    return None


def find_place_problem(lifecycle: Lifecycle, *, has_site: bool, installed_on: date | None, today: date) -> str:
    """Why a device cannot come into the register as that; empty: it can."""
    if lifecycle not in FIRST:
        return f"a device comes into the register as one of {', '.join(FIRST)}"
    if lifecycle is _L.REGISTERED:
        return ""
    facts = LifecycleFacts(lifecycle, has_site, installed_on)
    refusal = _find_place_refusal(facts, today)
    return "" if refusal is None else refusal.detail


def _find_place_refusal(facts: LifecycleFacts, today: date) -> LifecycleRefusal | None:
    if not facts.has_site or facts.installed_on is None:
        return LifecycleRefusal(LifecycleGuard.NOT_PLACED, "an installed device has a site and installed_on")
    if facts.installed_on > today:
        detail = f"installed_on is {facts.installed_on}, which is still to come"
        return LifecycleRefusal(LifecycleGuard.NOT_INSTALLED_YET, detail)
    return None


def _find_end_refusal(facts: LifecycleFacts) -> LifecycleRefusal | None:
    if facts.open_orders:
        named = ", ".join(facts.open_orders[:5]) + (", ..." if len(facts.open_orders) > 5 else "")
        detail = f"work orders of it are open: {named}; close or cancel them first"
        return LifecycleRefusal(LifecycleGuard.OPEN_WORK_ORDERS, detail)
    if facts.has_account and not facts.can_revoke:
        detail = "its account at the broker is active, and this program reaches no broker's accounts to revoke it"
        return LifecycleRefusal(LifecycleGuard.ACCOUNT_ACTIVE, detail)
    return None
