"""Breaches: one episode of a monitor being violated on one device, and the transitions of its life-cycle."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

BREACH_NAMESPACE = UUID("6f0c2a52-3f0e-5d0b-9a53-2b8f5f6f7e11")


class BreachKind(StrEnum):
    LIMIT = "LIMIT"
    ANOMALY = "ANOMALY"
    FORECAST = "FORECAST"
    DEVICE_CODE = "DEVICE_CODE"
    OFFLINE = "OFFLINE"
    STALE = "STALE"


class Severity(StrEnum):
    INFO = "INFO"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 (INFO) to 3 (CRITICAL)."""
        return ("INFO", "MINOR", "MAJOR", "CRITICAL").index(self.value)


class BreachState(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    CLEARED = "CLEARED"
    DISCARDED = "DISCARDED"


class TransitionKind(StrEnum):
    RAISED = "RAISED"  # PENDING -> ACTIVE (the PENDING phase itself is detector state and never leaves `anomaly`)
    ESCALATED = "ESCALATED"  # severity rose while ACTIVE
    CLEARED = "CLEARED"


@dataclass(frozen=True, slots=True)
class BreachTransition:
    """One step of one breach, as `anomaly` decides it and `service_link` triages it.

    `breach_id` is derived from what the breach is (see `breach_id_of`), so replaying the same input names the same
    breach. `params` are the parameters of the sentence `reason_code` (see `domain.sentences`).
    """

    breach_id: UUID
    kind: TransitionKind
    device_id: int
    series_id: int | None
    monitor: str
    profile_version: int
    breach_kind: BreachKind
    severity: Severity
    fault_group: str
    first_seen: datetime  # event time of the first reading of the episode
    at: datetime  # event time of this transition
    received_at: datetime  # receiver's time of the reading that caused it
    count: int  # readings beyond the limit so far
    peak: float  # most extreme value (LIMIT) or score
    score: float
    reason_code: str
    params: dict[str, Any]


def breach_id_of(device_id: int, monitor: str, series_id: int | None, first_seen_us: int) -> UUID:
    """The id of an episode: the same device, monitor, series and first reading give the same id, always."""
    return uuid5(BREACH_NAMESPACE, f"{device_id}/{monitor}/{series_id}/{first_seen_us}")
