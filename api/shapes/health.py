"""What /health says."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.shapes.pages import Shape


class ProgramHealth(Shape):
    """One program. `silent`: it said that it lives and never that it stopped; `absent`: none is running."""

    program: str = Field(examples=["ingest"])
    status: Literal["alive", "silent", "absent"]
    age_s: float | None = Field(description="Seconds since its last sign of life.", examples=[1.2])
    instance: str | None = Field(None, description="Only for callers with `health.read`.")
    started_at: datetime | None = None
    details: dict[str, Any] | None = Field(None, description="Only for callers with `health.read`.")


class FlowHealth(Shape):
    """What flows and what waits."""

    devices: int
    devices_online: int
    last_message_at: datetime | None = Field(description="When the last message came, our time.")
    last_message_age_s: float | None
    last_observed_at: datetime | None = Field(description="Device time of the newest reading.")
    blocks_waiting: int = Field(description="Blocks of readings that are stored and not scored.")
    transitions_waiting: int = Field(description="Breach transitions that are not decided.")
    oldest_waiting_age_s: float | None
    outbox_waiting: int = Field(description="Events that a webhook is to be told of and has not got.")
    outbox_oldest_age_s: float | None = Field(description="Age of the oldest of them.")
    deliveries_dead: int = Field(description="Events for webhooks that were given up, and not asked for again.")
    webhooks_gone: int = Field(description="Webhooks that are disabled since their receiver answered 410.")
    notices_waiting: int = Field(description="Notices to devices that the broker has not acknowledged.")
    monitors_unscored: int = Field(
        description="Monitors that nobody judges, since a detector raised an error on them; `anomaly` names them in "
        "its details. Their devices are of unknown health."
    )
    standstills: int = Field(
        description="What `ingest` does beside the readings (signs of life, counts by device) and that has failed at "
        "least twice in a row; its details name it, since when and why. Nothing is lost meanwhile, but what people see "
        "of it is old."
    )
    rollup_lag_s: float = Field(
        description="How far the roll-ups of readings are behind; 70 minutes is usual, and charts are exact anyway."
    )
    rollups_late: int = Field(description="Marks of late readings that the roll-ups do not hold yet.")


class LedgerHealth(Shape):
    """What ingestion counted today (UTC): values_received = stored + duplicates + conflicts + rejected.

    Messages received are those counted and those in flight, which the broker still holds.
    """

    messages: int
    values_received: int
    stored: int
    duplicates: int
    conflicts: int
    late: int
    rejected: int
    replayed: int = Field(description="Rejected at first, and no longer among those rejected.")
    in_flight_messages: int = Field(description="Received by some process of ingestion and not stored yet.")


class DataQualityHealth(Shape):
    """Where data are missing or wrong today (UTC)."""

    alerts: dict[str, int] = Field(description="Devices that went over each limit.", examples=[{"missing": 2}])
    rejected_by_reason: dict[str, int] = Field(description="Rejections, since the beginning.")
    replays_waiting: int = Field(description="Rejections that are to be decoded again.")


class Health(Shape):
    """How this installation is."""

    status: Literal["ok", "degraded"] = Field(
        description="`degraded`: a program is silent or absent, or a monitor is not judged."
    )
    version: str = Field(examples=["0.1.0"])
    at: datetime
    store: str = Field(examples=["postgresql"], description="postgresql, timescaledb-apache or timescaledb-community.")
    programs: list[ProgramHealth]
    flow: FlowHealth
    ledger: LedgerHealth | None = Field(None, description="Only for callers with `health.read`.")
    data_quality: DataQualityHealth | None = Field(None, description="Only for callers with `health.read`.")


class Alive(Shape):
    """The process answers."""

    status: Literal["ok"] = "ok"
