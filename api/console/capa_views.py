"""CAPA notices in words: the trigger as a sentence, the line of a list, and what waits for a decision."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.console.capa_figures import say_figure
from api.console.instants import Instant
from api.console.order_rows import find_fault
from api.console.page import View
from domain.capa import CapaState, CapaTrigger
from domain.exposure import bears_rate
from domain.profile import Profile
from domain.roles import Permission
from store.capas import Capa, count_capas, load_capas
from store.pool import Connection

PROPOSALS = 3  # that the inbox shows: its own rows stay in sight
STAGES = (
    CapaState.PROPOSED,
    CapaState.OPEN,
    CapaState.INVESTIGATION,
    CapaState.ACTION_PLAN,
    CapaState.IMPLEMENTATION,
    CapaState.VERIFICATION,
    CapaState.EFFECTIVENESS,
    CapaState.CLOSED,
)


@dataclass(frozen=True, slots=True)
class CapaLine:
    """One CAPA of a list."""

    code: str
    state: str
    scope: str
    fault: str
    trigger: str
    sentence: str
    devices: int
    at: Instant | None
    flags: list[str]


def find_scope(view: View, capa: Capa) -> str:
    """What the CAPA is about, beside model and fault."""
    return view.t(f"capa.scope_{capa.scope_kind}", value=capa.scope_value)


def find_trigger(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> str:
    """Why the machine proposed it, in one sentence with its figures."""
    figures = capa.statistics
    days = figures.get("device_days")
    has_no_rate = capa.trigger == CapaTrigger.COHORT and days is not None and not bears_rate(days)
    return view.t(
        "capa.trigger_COHORT_NO_RATE" if has_no_rate else f"capa.trigger_{capa.trigger}",
        model=capa.model,
        scope=find_scope(view, capa),
        fault=find_fault(view, profiles, capa.model, capa.fault_group),
        events=figures.get("events", capa.member_count),
        devices=figures.get("devices", capa.device_count),
        customers=figures.get("customers", capa.customer_count),
        ratio=say_figure(figures.get("ratio"), 1),
    )


def find_line(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> CapaLine:
    """The line of that CAPA for this reader."""
    return CapaLine(
        code=capa.code,
        state=capa.state,
        scope=f"{capa.model} · {find_scope(view, capa)}",
        fault=find_fault(view, profiles, capa.model, capa.fault_group),
        trigger=view.name("trigger", capa.trigger),
        sentence=find_trigger(view, capa, profiles),
        devices=capa.device_count,
        at=view.when(capa.created_at),
        flags=["SIM"] if capa.is_simulated else [],
    )


@dataclass(frozen=True, slots=True)
class Proposals:
    """CAPAs that wait for a decision: the newest, and how many there are."""

    lines: list[CapaLine]
    total: int

    @property
    def more(self) -> int:
        """How many are not among the lines."""
        return self.total - len(self.lines)


def load_proposals(view: View, conn: Connection, profiles: Mapping[str, Profile]) -> Proposals:
    """What the inbox shows of them; nothing to who may not read CAPAs."""
    if not view.may(Permission.CAPA_READ):
        return Proposals([], 0)
    newest = load_capas(conn, states=(CapaState.PROPOSED,), limit=PROPOSALS)
    total = count_capas(conn, states=(CapaState.PROPOSED,)) if len(newest) == PROPOSALS else len(newest)
    return Proposals([find_line(view, capa, profiles) for capa in newest], total)
