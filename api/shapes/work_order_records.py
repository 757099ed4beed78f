"""What belongs to a work order: visits, parts, files, checklists."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, StringConstraints

from api.shapes.pages import Instant, Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.attachment import AttachmentKind, MediaType, Visibility
from domain.checklist import ItemKind, TemplateKind
from domain.part_usage import PartState
from domain.visit import VisitOutcome

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Quantity = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=3)]
AnswerValue = StrictBool | StrictInt | StrictFloat | StrictStr


class VisitShape(Shape):
    """One visit; of an order that went up in this one it names that."""

    id: int
    work_order: str
    technician: str | None = Field(description="null: hidden from your roles; so is the name.")
    technician_name: str | None
    arrived_at: datetime
    left_at: datetime | None = Field(description="null: the visit is under way.")
    outcome: VisitOutcome | None
    note: str | None = Field(description="null: hidden from your roles.")


class VisitList(Shape):
    """Every visit for the order."""

    items: list[VisitShape]


class Arrival(Sent):
    """A visit that begins."""

    arrived_at: Instant | None = Field(None, description="null: now.")
    note: Text = ""


class Departure(Sent):
    """A visit that is over."""

    left_at: Instant | None = Field(None, description="null: now.")
    outcome: VisitOutcome
    note: Text = ""


class PartShape(Shape):
    """One part that was asked for, used or withdrawn."""

    id: int
    work_order: str
    state: PartState
    item: str
    description: str
    quantity: Decimal = Field(description="What was asked for; once used, what was used.")
    lot: str
    serial_in: str
    serial_out: str
    requested_by: str | None = Field(description="null: it was at hand, or hidden from your roles.")
    requested_at: datetime | None
    decided_by: str | None = Field(description="Who used or withdrew it.")
    decided_at: datetime | None
    reason: str
    signatures: list[SignatureShape] = Field(description="Of who used it; empty where hidden from your roles.")


class PartList(Shape):
    """Every part of the order."""

    items: list[PartShape]


class NewPart(Sent):
    """A part that is asked for, or one that was at hand and is used."""

    state: Literal[PartState.REQUESTED, PartState.USED] = PartState.REQUESTED
    item: Short = Field(min_length=1, examples=["MOT-4711"], description="The maker's number of the part.")
    description: Short = ""
    quantity: Quantity = Decimal(1)
    lot: Short = ""
    serial_in: Short = ""
    serial_out: Short = ""
    password: str | None = Field(None, max_length=1000, description="One's own, again: for USED, which is signed.")
    meaning: Short = Field("", description="What the signature means; for USED.", examples=["Fitted by me"])


class PartStep(Sent):
    """What became of a part that was asked for."""

    to: Literal[PartState.USED, PartState.WITHDRAWN]
    quantity: Quantity | None = Field(None, description="For USED; null: as many as were asked for.")
    lot: Short = ""
    serial_in: Short = ""
    serial_out: Short = ""
    reason: Text = Field("", description="For WITHDRAWN.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: for USED, which is signed.")
    meaning: Short = Field("", description="What the signature means; for USED.")


class AttachmentShape(Shape):
    """One file of the order."""

    id: int
    work_order: str
    sha256: str
    kind: AttachmentKind
    media_type: MediaType = Field(description="What the content is, whatever the sender called it.")
    visibility: Visibility
    size: int
    file_name: str
    note: str | None = Field(description="null: hidden from your roles.")
    captured_at: datetime
    captured_by: str | None = Field(description="null: hidden from your roles.")
    uploaded_at: datetime
    uploaded_by: str | None = Field(description="null: hidden from your roles.")


class AttachmentList(Shape):
    """The order's files that you may see, the oldest first."""

    items: list[AttachmentShape]


class ItemShape(Sent):
    """One line of a checklist."""

    key: Short = Field(min_length=1, examples=["leak_test"])
    kind: ItemKind
    text: dict[Literal["en", "zh"], Short] = Field(examples=[{"en": "No leak at 300 kPa", "zh": "300 kPa 下无泄漏"}])
    required: bool = True
    low: float | None = Field(None, description="For a number; the limit belongs to what is allowed.")
    high: float | None = None
    unit: Short = ""


class AnswerShape(Shape):
    """An answer to one line."""

    item: str
    value: AnswerValue
    is_ok: bool = Field(description="Yes, or within the limits; what is not has a remark.")
    remark: str
    answered_by: str
    answered_at: datetime


class ChecklistShape(Shape):
    """One checklist of the order, as its template was when the order was assigned."""

    id: int
    work_order: str
    order_version: int
    template: str
    template_version: int
    kind: TemplateKind
    title: dict[str, str]
    items: list[ItemShape]
    answers: list[AnswerShape] = Field(description="The newest of each line, in the order of the lines.")
    missing: list[str] = Field(description="Lines that are required and have no answer.")
    made_at: datetime


class ChecklistList(Shape):
    """The order's checklists; those of earlier versions of a reopened order too."""

    items: list[ChecklistShape]


class AnswerList(Shape):
    """Every answer that was ever given."""

    items: list[AnswerShape]


class NewAnswer(Sent):
    """An answer to one line."""

    item: Short = Field(min_length=1)
    value: AnswerValue = Field(
        description="true or false; a number; a text; of a photo the id of an attachment of the order."
    )
    remark: Text = Field("", description="Needed with false and with a number out of its limits.")


class NewAnswers(Sent):
    """Answers to lines of one checklist: all of them are taken, or none."""

    answers: list[NewAnswer] = Field(min_length=1, max_length=200)
