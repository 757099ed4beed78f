"""What people write into a CAPA, and how its effect is judged."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.shapes.pages import Day, Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.capa import CapaKind, CapaState, ScopeKind
from domain.capa_action import ActionKind, ActionState
from domain.capa_cause import (
    MAX_CAUSES,
    MAX_EVIDENCE,
    MAX_WHYS,
    MIN_WHYS,
    Cause,
    CauseCategory,
    CauseVerdict,
    EvidenceKind,
    EvidenceRef,
    RootCause,
    Why,
)
from domain.capa_effectiveness import EffectivenessMetric, EffectivenessPlan, LimitKind

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Statement = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class EvidenceShape(Sent):
    """What shows it: a record of this system, which must exist, or a document kept elsewhere."""

    kind: EvidenceKind
    ref: Word = Field(examples=["WO-2026-000123"], description="Code, serial or id; of a document its number.")
    note: Text = ""

    def to_ref(self) -> EvidenceRef:
        return EvidenceRef(self.kind, self.ref, self.note)


Evidence = Annotated[list[EvidenceShape], Field(max_length=MAX_EVIDENCE)]


class WhyShape(Sent):
    """One answer of the chain."""

    statement: Statement
    evidence: Evidence = Field([])


class CauseShape(Sent):
    """A candidate cause, what was made of it, and the whys that lead to it."""

    category: CauseCategory
    verdict: CauseVerdict
    statement: Statement
    whys: list[WhyShape] = Field([], max_length=MAX_WHYS, description=f"In order; a root cause has {MIN_WHYS} or more.")
    evidence: Evidence = Field([])

    def to_cause(self) -> Cause:
        whys = tuple(Why(why.statement, tuple(ref.to_ref() for ref in why.evidence)) for why in self.whys)
        return Cause(self.category, self.verdict, self.statement, whys, tuple(ref.to_ref() for ref in self.evidence))


class RootCauseFields(Sent):
    """The investigation as a whole: it replaces what was written before."""

    problem: Statement = Field(description="What is wrong, on which devices, since when.")
    causes: list[CauseShape] = Field(max_length=MAX_CAUSES)

    def to_root_cause(self) -> RootCause:
        return RootCause(self.problem, tuple(cause.to_cause() for cause in self.causes))


class RootCauseShape(Shape):
    """The investigation as it was last written."""

    problem: str
    causes: list[CauseShape]
    is_reviewed: bool = Field(description="It was written since the last check failed, or none has.")


class ActionFields(Sent):
    """An action while the plan is written."""

    kind: ActionKind
    text: Statement
    owner: Short | None = Field(None, description="Name of the account of who sees to it; needed for the approval.")
    due_on: Day | None = Field(None, description="Needed for the approval.")


class CapaActionShape(Shape):
    """One action of a CAPA, and what became of it."""

    capa: str = Field(validation_alias="capa_code")
    capa_state: CapaState
    number: int
    round: int = Field(description="In which it was planned.")
    kind: ActionKind
    state: ActionState
    text: str
    owner: str | None
    due_on: date | None
    is_overdue: bool
    done_evidence: str
    evidence: list[EvidenceShape]
    done_by: str | None
    done_at: datetime | None
    verified_note: str
    verified_by: str | None
    verified_at: datetime | None
    cancel_reason: str
    created_at: datetime
    updated_at: datetime


class CapaActionTransition(Sent):
    """A step of an action: DONE and VERIFIED need `evidence`, OPEN (sent back) and CANCELLED a `reason`."""

    to: ActionState
    evidence: Text = Field("", description="What was done, or seen.")
    references: Evidence = Field([])
    reason: Text = ""


class EffectivenessFields(Sent):
    """By which figure the effect is judged, on the devices of the scope."""

    metric: EffectivenessMetric
    limit_kind: LimitKind
    limit: float = Field(
        gt=0.0, le=1e6, description="RATE: events per 1,000 device-days; RATIO: rate after over rate before, at most 1."
    )
    period_days: int = Field(ge=1, le=1095)
    before_days: int = Field(90, ge=1, le=1095, description="Of the comparison, up to when the plan was begun.")
    delay_days: int = Field(0, ge=0, le=365, description="After the last action was done, before the period begins.")
    max_p: float = Field(
        0.05,
        gt=0.0,
        le=0.2,
        description="Chance of so few events, were the true rate at the limit: above, nothing is shown.",
    )

    def to_plan(self) -> EffectivenessPlan:
        return EffectivenessPlan(**self.model_dump())


class EffectivenessResultShape(Shape):
    """What was computed at one time. The verdict counts once the period is over."""

    round: int
    plan_version: int
    computed_at: datetime
    is_final: bool
    verdict: str
    figures: dict[str, Any] = Field(description="Windows, events, device-days, rates per 1,000 device-days, p.")


class EffectivenessShape(Shape):
    """How the effect is judged, and what was computed so far."""

    plan: EffectivenessFields | None
    devices: int = Field(description="On which it is measured.")
    before_until: datetime | None
    events_before: int | None = Field(description="As counted now, in the window before; null: no plan.")
    device_days_before: float | None
    rate_before: float | None = Field(description="Per 1,000 device-days; null below one of them.")
    effective_from: datetime | None
    effective_until: datetime | None
    verdict: str | None = Field(description="Of the whole period; null: it is not over.")
    results: list[EffectivenessResultShape] = Field(description="Newest first, of earlier rounds and plans too.")


class CapaSignatures(Shape):
    """Who signed the plan and the closure, and whether each signature still holds."""

    plan_sha256: str = Field(description="Of the plan as it is now.")
    plan: list[SignatureShape]
    closure_sha256: str = Field(description="Of plan, actions and figures as they are now.")
    closure: list[SignatureShape]


class CapaFields(Sent):
    """What a person proposes; somebody else decides whether it is opened."""

    kind: CapaKind = CapaKind.CORRECTIVE
    model: Word
    scope_kind: ScopeKind = ScopeKind.MODEL
    scope_value: Short = Field("", description="Lot, firmware version or serial; empty for the whole model.")
    fault_group: Word
    reason: Statement = Field(description="What calls for it.")
    work_orders: list[Word] = Field([], max_length=500, description="Codes of those that it is about.")
    is_simulated: bool = False
    region: Short = ""


class ScopeDeviceShape(Shape):
    """One device on which the effect is measured."""

    serial: str
    lot: str
    firmware: str
    lifecycle: str
    customer: str | None
    customer_name: str | None
    added_at: datetime
