"""Outgoing webhooks: endpoints, what was delivered to them, and every attempt."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.shapes.pages import Instant, Sent, Shape
from domain.webhook import MAX_DELAY_S, ReplayScope
from domain.webhook_address import MAX_URL

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
MAX_OVERLAP_H = 720


class WebhookShape(Shape):
    """One endpoint, without its secret."""

    code: str = Field(examples=["WH-2026-000001"])
    name: str
    url: str = Field(description="Without its query for callers without `webhook.manage`.")
    event_types: list[str] = Field(description="The types that it is told of; empty: all.")
    customer: str | None = Field(description="Code of the customer whose events alone it is told of; null: all.")
    delay_s: int = Field(description="An event waits so long before its first attempt.")
    state: Literal["ENABLED", "DISABLED", "RETIRED"]
    state_cause: Literal["PERSON", "GONE"] = Field(description="`GONE`: the receiver answered 410.")
    state_reason: str
    state_since: datetime
    previous_secret_until: datetime | None = Field(
        validation_alias="previous_until", description="Until then the secret before signs as well."
    )
    waiting: int = Field(description="Deliveries that wait, counted up to 1,001: there are more than 1,000 then.")
    dead: int = Field(description="Deliveries that were given up, counted in the same way.")
    oldest_waiting_at: datetime | None
    last_delivered_at: datetime | None
    row_version: int
    created_at: datetime
    updated_at: datetime


class NewWebhook(Sent):
    """An endpoint as people want it."""

    name: Name = Field(examples=["ERP"])
    url: str = Field(max_length=MAX_URL, examples=["https://erp.example.com/hooks/forewarn"])
    event_types: list[Name] = Field([], max_length=100, description="Left out or empty: all.")
    customer: Name | None = Field(None, description="Code; left out: events of all customers, and of none.")
    delay_s: int = Field(0, ge=0, le=MAX_DELAY_S, description="So long a change can still be undone before it is told.")


class WebhookChange(NewWebhook):
    """The whole endpoint as it is to be, and why."""

    reason: Text = ""


class WebhookMade(Shape):
    """The endpoint with its secret, which is shown this once."""

    webhook: WebhookShape
    secret: str = Field(examples=["whsec_…"], description="Empty where the request was sent again.")


class WebhookTransition(Sent):
    """Enables, disables or retires an endpoint."""

    to: Literal["ENABLED", "DISABLED", "RETIRED"]
    reason: Text = Field("", description="Needed but for enabling.")


class SecretRotation(Sent):
    """For how long the secret before goes on signing as well."""

    overlap_h: int = Field(24, ge=0, le=MAX_OVERLAP_H)


class Nothing(Sent):
    """No body: what makes two requests the same is their address alone."""


class Replay(Sent):
    """Which events are delivered again."""

    since: Instant
    scope: ReplayScope = Field(ReplayScope.MISSING, description="`missing`: those not delivered; `all`: every one.")


class ReplayBegun(Shape):
    """How many events are delivered again."""

    count: int


class DeliveryShape(Shape):
    """One event for one endpoint."""

    id: int
    webhook: str = Field(description="Code of the endpoint.")
    webhook_name: str
    event_id: UUID = Field(description="`webhook-id` of every attempt, and `id` of the event.")
    type: str = Field(examples=["workorder.opened"])
    subject: str
    happened_at: datetime
    state: Literal["WAITING", "DELIVERED", "DEAD", "CANCELLED"]
    attempts: int
    replays: int
    due_at: datetime | None = Field(description="When it is tried next; null: not, or not before what it waits for.")
    is_held: bool = Field(description="Its endpoint is disabled, or an earlier event of the record waits.")
    last_status: int | None
    last_error: str = Field(description="Why the last attempt failed; empty: it did not, or there was none.")
    created_at: datetime
    finished_at: datetime | None


class AttemptShape(Shape):
    """One attempt."""

    number: int
    at: datetime
    duration_ms: int
    address: str = Field(description="The address that was connected to.")
    status: int | None = Field(description="null: there was no answer.")
    error: str = Field(examples=["timeout"], description="Empty: it was delivered.")
    detail: str
    response: str = Field(description="The beginning of what was answered.")


class DeliveryDetail(DeliveryShape):
    """One delivery with its newest hundred attempts."""

    event: dict[str, Any] | None = Field(description="What is sent; null where the record is not the caller's to read.")
    log: list[AttemptShape] = Field(description="Attempts, the newest first.")
