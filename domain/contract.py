"""Service contracts: DRAFT -> ACTIVE -> EXPIRED | TERMINATED, and what may still be changed in each. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.roles import Permission

MOST_REMIND_DAYS = 730


class ContractState(StrEnum):
    """Values stand in the database and never change."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"  # by the machine, when its last day is over
    TERMINATED = "TERMINATED"  # by people, before


class ContractGuard(StrEnum):
    """The rule that refused a step or a change; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    OVER_ALREADY = "over_already"
    MACHINE_ONLY = "machine_only"
    CUSTOMER_INACTIVE = "customer_inactive"
    CONTRACT_OVER = "contract_over"
    FIXED_WHEN_ACTIVE = "fixed_when_active"
    BY_TRANSITION = "by_transition"


_S = ContractState
TRANSITIONS: dict[ContractState, frozenset[ContractState]] = {
    _S.DRAFT: frozenset({_S.ACTIVE}),
    _S.ACTIVE: frozenset({_S.EXPIRED, _S.TERMINATED}),
    _S.EXPIRED: frozenset(),
    _S.TERMINATED: frozenset(),
}
FIRST = (_S.DRAFT, _S.ACTIVE)
# What a contract that is in force keeps: whose it is, since when, and (by a route of its own) its SLA policy.
_FIXED_WHEN_ACTIVE = ("customer", "starts_on", "sla_policy")


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """What the guards must know of the contract."""

    state: ContractState
    ends_on: date
    customer_status: str


@dataclass(frozen=True, slots=True)
class ContractRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ContractGuard
    detail: str


def find_contract_refusal(
    to: ContractState, facts: ContractFacts, *, permission: str, reason: str, today: date, is_machine: bool = False
) -> ContractRefusal | None:
    """The first guard that refuses the step, or None. The machine takes the step to EXPIRED alone, and no other."""
    if to not in TRANSITIONS[facts.state]:
        possible = ", ".join(sorted(TRANSITIONS[facts.state])) or "nothing"
        detail = f"a contract that is {facts.state} does not become {to}; possible is {possible}"
        return ContractRefusal(ContractGuard.NO_SUCH_TRANSITION, detail)
    if (to is _S.EXPIRED) != is_machine:
        detail = "a contract expires by itself when its last day is over; to end it before, terminate it"
        return ContractRefusal(ContractGuard.MACHINE_ONLY, detail)
    if is_machine:
        if today <= facts.ends_on:
            return ContractRefusal(ContractGuard.NO_SUCH_TRANSITION, f"it lasts until {facts.ends_on}")
        return None
    if permission != Permission.MASTER_DATA_WRITE:
        return ContractRefusal(ContractGuard.PERMISSION_MISSING, f"this needs {Permission.MASTER_DATA_WRITE}")
    if to is _S.TERMINATED and not reason.strip():
        return ContractRefusal(ContractGuard.REASON_MISSING, "to end a contract before its day needs a reason")
    return find_activation_refusal(facts.ends_on, facts.customer_status, today) if to is _S.ACTIVE else None


def find_activation_refusal(ends_on: date, customer_status: str, today: date) -> ContractRefusal | None:
    """Why a contract may not come into force, or None."""
    if ends_on < today:
        return ContractRefusal(ContractGuard.OVER_ALREADY, f"its last day was {ends_on}")
    if customer_status == "INACTIVE":
        return ContractRefusal(ContractGuard.CUSTOMER_INACTIVE, "its customer is INACTIVE")
    return None


def find_change_refusal(state: ContractState, field: str) -> ContractRefusal | None:
    """Why that field of a contract in that state keeps its value, or None."""
    if field == "status":
        detail = "moves by POST /contracts/{code}/transitions"
        return ContractRefusal(ContractGuard.BY_TRANSITION, detail)
    if state in (_S.EXPIRED, _S.TERMINATED):
        return ContractRefusal(ContractGuard.CONTRACT_OVER, f"stays as it was: the contract is {state}")
    if state is _S.ACTIVE and field in _FIXED_WHEN_ACTIVE:
        how = "PUT /contracts/{code}/sla-policy changes it" if field == "sla_policy" else "make another contract"
        return ContractRefusal(ContractGuard.FIXED_WHEN_ACTIVE, f"is fixed while the contract is ACTIVE; {how}")
    return None
