"""What a device says of itself beside its readings: firmware, own alarms (events), and whether it is connected."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from domain.breach import Severity


class FirmwareState(StrEnum):
    """How far an update has come. Wire contract; only UPDATED changes what the device runs."""

    DOWNLOADING = "DOWNLOADING"
    DOWNLOADED = "DOWNLOADED"
    VERIFIED = "VERIFIED"
    UPDATING = "UPDATING"
    UPDATED = "UPDATED"
    FAILED = "FAILED"


class ConnectionState(StrEnum):
    """What a status message, or the will that the broker publishes for a vanished device, says. Wire contract."""

    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class FirmwareReport:
    """A component of a device runs, or moves to, a version."""

    device_id: int
    observed_us: int
    received_us: int
    component: str
    version: str
    state: FirmwareState
    previous: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EventReport:
    """An alarm that the device raised itself."""

    device_id: int
    observed_us: int
    received_us: int
    code: str
    severity: Severity
    message: str = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A device came or went. `observed_us` is when that was true: of a will, which knows no time, when it arrived."""

    device_id: int
    observed_us: int
    received_us: int
    state: ConnectionState


MAX_ATTRIBUTES = 100  # of one device
MAX_ATTRIBUTE_KEY = 100  # characters
MAX_ATTRIBUTE_BYTES = 1_024  # of one value, as JSON


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """What a device says of itself that is neither a reading nor firmware: serial numbers of parts, settings, places.

    A value is anything that JSON can say, without NUL, lone surrogates and NaN.
    """

    device_id: int
    observed_us: int
    received_us: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkReport:
    """Work on a device was done, by its work order: no device says so, but scoring must hear it among the reports of
    the device, at one place of the order in which it hears everything."""

    device_id: int
    observed_us: int
    received_us: int
    work_order: str


Report: TypeAlias = FirmwareReport | EventReport | StatusReport | AttributeReport | WorkReport

_KINDS: dict[type[Report], str] = {
    FirmwareReport: "firmware",
    EventReport: "event",
    StatusReport: "status",
    AttributeReport: "attributes",
    WorkReport: "work",
}


def report_to_json(report: Report) -> dict[str, Any]:
    """The report as an element of `reading_block.reports`; `report_from_json` gives back an equal one."""
    return {"kind": _KINDS[type(report)]} | asdict(report)


def report_from_json(document: Mapping[str, Any]) -> Report:
    """The report that `report_to_json` made this document of.

    Raises
    ------
    ValueError
        The kind, a state or a severity is none that is known.
    """
    fields = {key: value for key, value in document.items() if key != "kind"}
    match document["kind"]:
        case "firmware":
            return FirmwareReport(**fields | {"state": FirmwareState(fields["state"])})
        case "event":
            return EventReport(**fields | {"severity": Severity(fields["severity"])})
        case "status":
            return StatusReport(**fields | {"state": ConnectionState(fields["state"])})
        case "attributes":
            return AttributeReport(**fields)
        case "work":
            return WorkReport(**fields)
    raise ValueError(f"no report is of the kind {document['kind']!r}")
