"""How far a field action is: what was said to whom, and where its devices stand."""

from datetime import datetime

from pydantic import Field

from api.shapes.field_actions import Short, Text
from api.shapes.pages import Instant, Sent, Shape
from store.field_action_communications import Channel, ContactResult


class NewCommunicationShape(Sent):
    """What was said: to a customer about all of its devices in the action, or about one device."""

    channel: Channel
    result: ContactResult
    at: Instant | None = Field(None, description="Default: now.")
    customer: Short = Field("", description="Code; this or `serial`.")
    serial: Short = ""
    contact: Short = Field("", description="Who was spoken to: personal data, shown to few.")
    text: Text = ""


class CommunicationMade(Shape):
    """The id of what was recorded."""

    id: int


class CommunicationShape(Shape):
    """One thing that was said; written once."""

    id: int
    at: datetime
    channel: str
    by: str
    contact: str | None = Field(description="null: not for the caller to see.")
    text: str
    result: str
    serial: str | None
    customer: str | None = Field(validation_alias="customer_code")
    recorded_at: datetime


class ProgressShape(Shape):
    """How many devices of one group stand where."""

    key: str
    name: str
    devices: int
    identified: int
    notified: int
    acknowledged: int
    scheduled: int
    remediated: int
    verified: int
    unreachable: int
    scrapped: int
    done_share: float = Field(description="Remediated or verified, of all that were not scrapped.")


class FieldActionProgress(Shape):
    """How far an action is, in all and by group."""

    code: str
    total: ProgressShape
    regions: list[ProgressShape]
    customers: list[ProgressShape]
    waves: list[ProgressShape]
