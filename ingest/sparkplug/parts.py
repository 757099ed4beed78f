"""What an edge meant, as parts that are judged as those of every other format: serials, sensor keys, times. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from domain.reading import RejectionReason
from ingest.decode import Problem, TelemetryPart, shorten
from ingest.device_table import DeviceEntry, DeviceTable, Route, TopicKind
from ingest.formats.contract import Part, ReportPart
from ingest.sparkplug.edge import EdgeState, Scope
from ingest.sparkplug.meaning import AllLost, Meaning, Presence, Reading

# What edges write for people where UCUM has a name of its own.
_UCUM = {
    "°C": "Cel",
    "℃": "Cel",
    "degC": "Cel",
    "°F": "[degF]",
    "degF": "[degF]",
    "°": "deg",
    "Ω": "Ohm",
    "µm": "um",
    "µA": "uA",
    "µs": "us",
    "psi": "[psi]",
    "rpm": "{rev}/min",
    "mmHg": "mm[Hg]",
    "cmH2O": "cm[H2O]",
    "cmH₂O": "cm[H2O]",
}


def to_parts(meanings: Iterable[Meaning], route: Route, state: EdgeState, table: DeviceTable) -> Iterator[Part]:
    """The parts in the order of their meanings. What the node says of itself counts for the serial that is its id, and
    is left out if there is no such device."""
    edge = route.gateway or ""
    found = tuple(meanings)
    yield from _to_telemetry((m for m in found if isinstance(m, Reading)), edge, state, table)
    for meaning in found:
        match meaning:
            case Problem():
                if meaning.serial is not None or meaning.field is None or edge in table.devices:
                    yield meaning
            case Presence():
                yield from _to_status(meaning, edge, table, has_readings=any(isinstance(m, Reading) for m in found))
            case AllLost():
                for device in table.devices.values():
                    if device.gateway == edge or device.serial == edge:
                        yield ReportPart(device.serial, device.serial, TopicKind.STATUS, {"state": "offline"})


def _to_telemetry(
    readings: Iterable[Reading], edge: str, state: EdgeState, table: DeviceTable
) -> Iterator[TelemetryPart | Problem]:
    """Readings of one time in one part; a sensor that comes twice at one time comes in two."""
    bodies: dict[tuple[str, int | None, bool, int], dict[str, dict[str, Any]]] = {}
    for reading in readings:
        serial = edge if reading.device is None else reading.device
        device = table.devices.get(serial)
        if device is None and reading.device is None:
            continue
        scope = state.node if reading.device is None else state.devices.get(reading.device)
        key = reading.name if device is None else find_key(reading.name, device, scope)
        if key is None:
            detail = f"several metrics of the birth end in {shorten(reading.name.rpartition('/')[2])!r}"
            yield Problem(RejectionReason.UNKNOWN_SENSOR, f"values.{shorten(reading.name)}", detail, serial)
            continue
        copy = 0
        while True:
            place = (serial, reading.time_ms, reading.is_historical, copy)
            body = bodies.setdefault(place, {"values": {}, "units": {}, "quality": {}})
            if key not in body["values"]:
                break
            copy += 1
        body["values"][key] = reading.value
        if reading.unit is not None:
            body["units"][key] = _UCUM.get(reading.unit, reading.unit)
        if reading.quality != "good":
            body["quality"][key] = reading.quality
    for (serial, time_ms, is_historical, _), body in bodies.items():
        timed: Mapping[str, Any] = body if time_ms is None else {"ts": time_ms, **body}
        yield TelemetryPart(serial, "", timed, is_historical=is_historical)


def find_key(name: str, device: DeviceEntry, scope: Scope | None) -> str | None:
    """The sensor that a metric is: the one of its whole name, else the one of what follows its last slash.

    None where two metrics of the birth would be the same sensor. A name that no sensor has stays as it is.
    """
    if name in device.sensors:
        return name
    last = name.rpartition("/")[2]
    if last not in device.sensors:
        return name
    return last if scope is None or scope.by_last.get(last, 1) == 1 else None


def _to_status(presence: Presence, edge: str, table: DeviceTable, has_readings: bool) -> Iterator[Part]:
    serial = edge if presence.device is None else presence.device
    if serial in table.devices:
        body: dict[str, Any] = {"state": "online" if presence.is_online else "offline"}
        if presence.time_ms is not None:
            body["ts"] = presence.time_ms
        yield ReportPart(serial, serial, TopicKind.STATUS, body)
    elif presence.device is not None and presence.is_online and not has_readings:
        detail = f"no device has the serial {shorten(serial)!r}"
        yield Problem(RejectionReason.UNKNOWN_SERIAL, None, detail, serial)
