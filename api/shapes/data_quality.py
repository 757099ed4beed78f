"""Judged days of devices, the ledger, and what was refused."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from api.shapes.pages import Instant, Sent, Shape

AlertKindName = Literal["missing", "duplicate", "inconsistent", "implausible", "clock_skew"]


class QualityDayShape(Shape):
    """One device on one day (UTC). A ratio is null where there was nothing that it could be a share of."""

    day: date
    serial: str = Field(examples=["INF-0017"])
    model: str
    customer: str | None = Field(validation_alias="customer_code")
    customer_name: str | None
    expected: int = Field(description="Readings, of sensors whose profile says how often they report.")
    present: int
    completeness: float | None = Field(description="present / expected.", examples=[0.997])
    least_completeness: float = Field(description="From which on no alarm means health.", examples=[0.8])
    missing_ratio: float | None
    duplicate_ratio: float | None = Field(description="Of the values received.")
    inconsistent_ratio: float | None = Field(description="Unit, sensor or gateway against the master data.")
    implausible_ratio: float | None = Field(description="From the future, before installation, sequence going back.")
    received: int = Field(description="Values that came on this day, whatever time they are of.")
    skew_s: float | None = Field(description="Above 0: the device's clock is ahead.")
    alerts: list[AlertKindName] = Field(description="Which limits of the model's profile the day is over now.")
    is_over: bool = Field(description="false: judged up to `judged_until`, and judged again.")
    judged_until: datetime
    judged_at: datetime
    is_simulated: bool


class QualitySummaryShape(Shape):
    """Some days of some devices together."""

    first: date
    last: date
    device_days: int
    devices: int
    expected: int
    present: int
    completeness: float | None
    incomplete: int = Field(description="Device-days below the completeness that health asks for.")
    not_known: int = Field(description="Device-days of which nothing can be expected.")
    alerts: dict[AlertKindName, int] = Field(description="Device-days over each limit.")


class InFlightShape(Shape):
    """What one writer has received and not yet stored; the broker still holds it."""

    instance: str
    messages: int
    bytes: int
    age_s: float = Field(description="Since the writer said so.")


class LedgerDayShape(Shape):
    """values_received = stored + duplicates + conflicts + rejected, of one day of receipt (UTC)."""

    day: date
    messages: int
    values_received: int
    stored: int
    duplicates: int
    conflicts: int
    late: int = Field(description="Of those stored.")
    rejected: int = Field(description="Still: what was replayed since is counted as what it is now.")
    replayed: int = Field(description="Values once rejected that were replayed since.")


class LedgerShape(Shape):
    """The ledger of some days. Messages received = messages of the days + those in flight."""

    days: list[LedgerDayShape]
    balanced: bool = Field(description="The equation holds on every day.")
    in_flight: list[InFlightShape]
    in_flight_messages: int


class DeviceLedgerShape(Shape):
    """received = stored + duplicates + conflicts + rejected, of one device and day of receipt (UTC)."""

    day: date
    serial: str | None = Field(description="null: what names no device that is known.")
    messages: int
    received: int
    stored: int
    duplicates: int
    conflicts: int
    late: int
    rejected: int
    inconsistent: int
    implausible: int
    seq_missing: int = Field(description="Numbers that the device's own counter left out ...")
    seq_filled: int = Field(description="... of which so many came later.")
    seq_back: int


class ReplayOutcomeShape(Shape):
    """What came of decoding a message again. The counts are those of the whole message."""

    result: Literal["replayed", "still_refused"]
    stored: int | None = None
    duplicates: int | None = None
    conflicts: int | None = None
    reports: int | None = None
    refused: int | None = Field(None, description="Values refused for another reason now; they have rejections.")
    not_kept: int | None = Field(None, description="Values of a run that was too fast: of it one message was kept.")
    reason: str | None = Field(None, description="Why it is still refused.")
    detail: str | None = None


class RejectionShape(Shape):
    """One refused message, or part of one."""

    id: int
    received_at: datetime
    topic: str
    serial: str | None
    reason: str = Field(examples=["unknown_sensor"])
    field: str | None = Field(examples=["values.flow"])
    detail: str
    size: int = Field(description="Bytes of the message as it came.")
    is_whole: bool = Field(description="false: only the beginning of the message was kept with this one.")
    weight: int = Field(description="Values that are refused by it; 0 when it was replayed.")
    replay: Literal["open", "requested", "replayed", "still_refused"]
    replay_requested_at: datetime | None
    replay_requested_by: str | None
    replayed_at: datetime | None
    replay_outcome: ReplayOutcomeShape | None


class RejectionDetail(RejectionShape):
    """One refused message with its payload."""

    payload_base64: str
    payload_text: str | None = Field(description="Where it is UTF-8.")


class ReasonShape(Shape):
    """How often something was refused for one reason."""

    reason: str
    count: int
    serials: int
    newest_at: datetime


class RejectionGroupShape(Shape):
    """One cause of rejections: a reason at a place of the payload."""

    reason: str = Field(examples=["unknown_sensor"])
    field_pattern: str = Field(
        description="The field without serials and places in lists; empty: all of a message.", examples=["values.flow"]
    )
    count: int
    open: int = Field(description="Not replayed.")
    serials: int = Field(description="Different ones, up to a thousand a day.")
    some_serials: list[str] = Field(description="Five of them at most.")
    first_at: datetime
    last_at: datetime
    example_id: int
    example_detail: str | None = Field(description="null: the example was removed with its age.")


Why = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class ReplayOrder(Sent):
    """Which rejections to decode again: by `ids`, or all that match the other fields, the oldest first."""

    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None = Field(None, min_length=1, max_length=1000)
    reason: str | None = Field(None, max_length=64, examples=["unknown_serial"])
    field_pattern: str | None = Field(None, max_length=300, description="As in the groups.")
    serial: str | None = Field(None, max_length=64)
    since: Instant | None = Field(None, description="Received then or later.")
    until: Instant | None = Field(None, description="Received before.")
    why: Why = Field("", description="For the audit.")

    @model_validator(mode="after")
    def _names_something(self) -> "ReplayOrder":
        chosen = (self.reason, self.field_pattern, self.serial, self.since, self.until)
        if self.ids is None and not any(value is not None for value in chosen):
            raise ValueError("name ids, or a reason, field_pattern, serial, since or until")
        if self.ids is not None and any(value is not None for value in chosen):
            raise ValueError("either ids or the other fields, not both")
        return self

    def to_filters(self) -> dict[str, Any]:
        """The fields that narrow."""
        return {n: getattr(self, n) for n in ("reason", "field_pattern", "serial", "since", "until")}


class ReplayOne(Sent):
    """Why one rejection is to be decoded again."""

    why: Why = Field("", description="For the audit.")


class ReplayRequestShape(Shape):
    """What became of asking; ingestion takes up what was requested within seconds."""

    requested: int
    left_out: dict[str, int] = Field(
        description="Why, and how many: `conflict_stays`, `payload_not_kept`, `already_requested`, `already_replayed`."
    )
    has_more: bool = Field(description="More match than one request marks: ask again.")
