"""Changes that take two people."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from api.shapes.pages import Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.approval_request import ApprovalKind, ApprovalState

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
MAX_DEPTH = 20


class ApprovalStep(Shape):
    """A step that is possible from here."""

    to: ApprovalState
    allowed: bool = Field(description="The caller has the right that it takes; a guard may still refuse.")
    permission: str
    signed: bool


class ApprovalRequestShape(Shape):
    """One asked change."""

    code: str = Field(examples=["AR-2026-000001"])
    kind: str
    entity: str = Field(description="The kind of record that it changes.")
    entity_id: str
    payload: dict[str, Any] = Field(description="The change, exactly as it is carried out when it is granted.")
    subject: dict[str, Any] = Field(description="The record as it was when the change was asked for.")
    content_sha256: str
    reason: str
    state: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str
    outcome: dict[str, Any] | None = Field(description="What carrying it out gave.")
    region: str
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


class ApprovalRequestDetail(ApprovalRequestShape):
    """One asked change with its signatures and the steps that are possible."""

    signatures: list[SignatureShape]
    next_steps: list[ApprovalStep]


def verify_json(value: Any, depth: int = 0) -> Any:
    """The value when all readers of JSON read it alike: numbers, texts, and how deep it goes.

    Raises
    ------
    ValueError
        It does not.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"goes deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for name, part in value.items():
            verify_json(name, depth + 1)
            verify_json(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            verify_json(part, depth + 1)
    elif isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("holds half a character")
    elif isinstance(value, int | float) and not abs(value) < 2**53:
        raise ValueError("holds a number that is too large")
    return value


class NewApprovalRequest(Sent):
    """A change that is asked for."""

    kind: ApprovalKind
    entity_id: Short = Field(min_length=1, description="Code or serial of the record; of an export the list's name.")
    payload: Annotated[dict[str, Any], BeforeValidator(verify_json)] = Field(
        description="The change; its fields depend on the kind."
    )
    reason: Text = ""
    password: str | None = Field(None, max_length=1000, description="One's own, again: asking is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["I ask for this change"])


class ApprovalTransition(Sent):
    """What becomes of a request."""

    to: Literal[ApprovalState.GRANTED, ApprovalState.REFUSED, ApprovalState.WITHDRAWN]
    reason: Text = ""
    password: str | None = Field(None, max_length=1000, description="One's own, again: a decision is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed and granted"])
