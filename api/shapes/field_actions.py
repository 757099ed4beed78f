"""Field actions: recalls, corrections, firmware campaigns, their devices, and what was said to whom."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.shapes.pages import Instant, Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.field_action import FieldActionKind, FieldActionState
from domain.field_action_halt import DEFAULT_P
from domain.field_action_item import ItemState
from domain.field_action_scope import MOST_SERIALS, MOST_WAVES, ScopeQuery, Wave
from domain.firmware_version import VersionRange
from domain.tickets import Priority

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class VersionRangeShape(Sent):
    """Firmware from `since` on, up to `until` (included) or `before` (not included); empty: no bound. Compared as
    versions: 2.10 is later than 2.9, and 2.4.1-rc.1 before 2.4.1."""

    since: Short = Field("", examples=["2.0"])
    until: Short = ""
    before: Short = Field("", examples=["2.4.1"])


class ScopeShape(Sent):
    """Which devices: all that is given must be true, of a list any one. Decommissioned devices are never in it."""

    lots: list[Word] = Field([], max_length=1_000)
    serials: list[Word] = Field([], max_length=MOST_SERIALS)
    firmware: VersionRangeShape = VersionRangeShape()
    with_unknown_firmware: bool = Field(
        True,
        description="Take devices in whose firmware is not known, or has no order, and cannot be placed in the range.",
    )
    customers: list[Word] = Field([], max_length=10_000, description="Codes.")
    regions: list[Word] = Field([], max_length=1_000)

    def to_query(self, model: str, *, is_simulated: bool) -> ScopeQuery:
        """As the domain has it."""
        return ScopeQuery(
            model=model,
            lots=tuple(self.lots),
            serials=tuple(dict.fromkeys(self.serials)),
            firmware=VersionRange(self.firmware.since, self.firmware.until, self.firmware.before),
            with_unknown_firmware=self.with_unknown_firmware,
            customers=tuple(self.customers),
            regions=tuple(self.regions),
            is_simulated=is_simulated,
        )


class ScopeQuestion(ScopeShape):
    """A scope that is only looked at."""

    model: Word = Field(examples=["INF-100"])
    component: Word = "main"
    is_simulated: bool = False


class ScopePreviewShape(Shape):
    """What a scope finds now; nothing is written."""

    devices: int
    by_region: dict[str, int]
    by_customer: dict[str, int] = Field(description="By code; empty: devices without a site.")
    by_lot: dict[str, int]
    by_firmware: dict[str, int]
    unknown_firmware: dict[str, int] = Field(
        description="Devices of the model by firmware that cannot be placed in the range, taken in or not."
    )
    decommissioned: int = Field(description="That match and are left out.")
    overlapping: int = Field(description="That another campaign has which is approved and not over.")
    unknown_serials: list[str] = Field(description="Named, and of no device of the model.")
    sample: list[str] = Field(description="The first serials.")


class FrozenScope(Shape):
    """The scope of an action as it was frozen, and what has changed in the field since."""

    query: dict[str, Any]
    sha256: str = Field(description="Over every serial and its wave; part of what is signed.")
    frozen_at: datetime | None
    devices: int
    added_since: int = Field(description="Devices that the query finds today and that are not in the action.")
    removed_since: int = Field(description="Devices of the action that the query does not find any more.")
    added_sample: list[str]


class WaveShape(Sent):
    """One part of a roll-out: the devices named, or a share of those that no wave before it has."""

    share: float = Field(1.0, gt=0.0, le=1.0)
    serials: list[Word] = Field([], max_length=MOST_SERIALS)
    soak_h: float = Field(24.0, ge=0.0, le=8_760.0, description="Hours that it stands before the next one may open.")
    done_share: float = Field(0.9, ge=0.0, le=1.0, description="Of it must be done before the next one may open.")

    def to_wave(self) -> Wave:
        """As the domain has it."""
        return Wave(self.share, tuple(dict.fromkeys(self.serials)), self.soak_h, self.done_share)


class FieldActionFields(Sent):
    """What a draft says, but its scope."""

    kind: FieldActionKind
    title: Word
    model: Word
    description: Text = ""
    instructions: Text = Field("", description="What customers are told to do.")
    component: Word = "main"
    firmware_version: Short = Field("", description="Of a campaign: a registered version of the component.")
    priority: Priority = Field(Priority.P3, description="Of the work orders that it makes.")
    needs_visit: bool = Field(False, description="Scheduling a device makes a work order, or joins one.")
    max_attempts: int = Field(3, ge=1, le=20, description="Failed attempts, after which a device is UNREACHABLE.")
    install_attempts: int = Field(2, ge=1, le=20, description="Failed updates, after which a device is visited.")
    not_before: Instant | None = None
    waves: list[WaveShape] = Field([WaveShape()], min_length=1, max_length=MOST_WAVES)
    halt_p: float = Field(DEFAULT_P, gt=0.0, le=0.2, description="Chance of a false halt, over all looks together.")
    capa: Short = Field("", description="Code of the CAPA that it follows from.")
    region: Short = ""
    is_simulated: bool = False


class FieldActionShape(Shape):
    """One field action."""

    code: str = Field(examples=["FA-2026-0001"])
    kind: str
    state: str
    title: str
    model: str
    component: str | None
    firmware_version: str | None
    firmware_state: str | None
    priority: str
    needs_visit: bool
    item_count: int
    current_wave: int
    wave_count: int
    halted_at: datetime | None = Field(description="Since when it stands still; its state stays. null: it does not.")
    halt_reason: str
    capa: str | None
    region: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    executing_at: datetime | None
    closed_at: datetime | None


class FieldActionStep(Shape):
    """A step that the life-cycle knows from here."""

    to: FieldActionState
    allowed: bool = Field(description="The caller has a right that it takes; a guard may still refuse.")
    permissions: list[str]


class FieldActionDetail(FieldActionShape):
    """One field action with all that it says, who approved it, and what it may become."""

    description: str
    instructions: str
    firmware_sha256: str | None
    firmware_url: str | None
    max_attempts: int
    install_attempts: int
    not_before: datetime | None
    waves: list[dict[str, Any]]
    wave_opened_at: datetime | None
    scope: dict[str, Any]
    scope_sha256: str
    scope_frozen_at: datetime | None
    halt_p: float
    halt_statistics: dict[str, Any] | None
    accepted_findings: list[str]
    looks: int = Field(description="Taken at the breach rate of upgraded devices.")
    effectiveness: dict[str, Any] | None
    cancel_reason: str
    content_sha256: str = Field(description="Of what approvers sign, as it says now.")
    approvals: int = Field(description="Signatures of different people that hold for it as it says now; two approve.")
    signatures: list[SignatureShape] = Field(description="Of its approval; those of a draft that changed hold no more.")
    next_steps: list[FieldActionStep]


class Signed(Sent):
    """What every signed step takes."""

    reason: Text = ""
    password: str | None = Field(None, max_length=1000, description="One's own, again: where the step is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed and approved"])


class FieldActionTransition(Signed):
    """A step of a field action. APPROVED, CLOSED and most of CANCELLED are signed; the second approval approves."""

    to: FieldActionState


class Halt(Sent):
    """Why an action must stand still."""

    reason: Text = Field(min_length=1)


class Resumption(Signed):
    """Why an action may go on; signed."""


class NextWave(Sent):
    """Nothing needs to be said to open the next wave."""


class ItemShape(Shape):
    """One device of an action."""

    serial: str
    state: str
    wave: int
    state_since: datetime
    attempts: int
    install_failures: int
    notified_at: datetime | None
    acknowledged_at: datetime | None
    scheduled_for: datetime | None
    remediated_at: datetime | None = Field(description="Of a campaign: when the device says that it runs the version.")
    verified_at: datetime | None
    evidence: str
    reason: str
    work_order: str | None = Field(validation_alias="work_order_code")
    region: str
    is_simulated: bool
    row_version: int


class ItemTransition(Sent):
    """A step of one device. What is installed of a campaign follows from the device's reports alone."""

    to: ItemState
    reason: Text = ""
    evidence: Text = Field("", description="What was done, or looked at, and how it is known.")
    scheduled_for: Instant | None = Field(None, description="For SCHEDULED.")
