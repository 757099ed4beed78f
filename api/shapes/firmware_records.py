"""Firmware that may be installed."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.shapes.field_actions import Signed, Text, Word
from api.shapes.pages import Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.firmware_record import FirmwareRecordState

Sha256 = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[0-9a-fA-F]{64}$")]
ImageUrl = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000, pattern=r"^(https?://\S+)?$")]


class FirmwareImage(Sent):
    """What can be changed of a draft."""

    sha256: Sha256 = Field(description="Of the image, hexadecimal.")
    url: ImageUrl = Field("", description="Where a device fetches it; empty: it knows by itself.")
    size_bytes: int | None = Field(None, gt=0, lt=2**53)
    notes: Text = ""


class NewFirmware(FirmwareImage):
    """A version that is registered."""

    model: Word = Field(examples=["INF-100"])
    component: Word = "main"
    version: Word = Field(examples=["2.4.1"], description="As devices report it, letter by letter.")
    is_simulated: bool = False


class FirmwareRecordShape(Shape):
    """One registered version."""

    code: str = Field(examples=["FW-2026-0001"])
    model: str
    component: str
    version: str
    sha256: str
    url: str
    size_bytes: int | None
    notes: str
    state: str
    released_at: datetime | None
    withdrawn_at: datetime | None
    withdraw_reason: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime


class FirmwareStep(Shape):
    """A step that the life-cycle knows from here."""

    to: FirmwareRecordState
    allowed: bool
    permission: str


class FirmwareRecordDetail(FirmwareRecordShape):
    """One registered version, who approved it, and what it may become."""

    content_sha256: str = Field(description="Of what approvers sign, as it says now.")
    approvals: int = Field(description="Signatures of different people that hold for it as it says now; two approve.")
    signatures: list[SignatureShape]
    next_steps: list[FirmwareStep]


class FirmwareTransition(Signed):
    """A step of a version. All but withdrawing what was never released are signed; the second approval approves."""

    to: FirmwareRecordState
