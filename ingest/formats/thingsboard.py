"""What gateways built for ThingsBoard publish: telemetry, attributes, and that a device came or went.

ThingsBoard's update protocol reports firmware among telemetry and attributes; here that becomes a firmware report.
Source: thingsboard.io/docs/reference/gateway-mqtt-api and thingsboard.io/docs/user-guide/ota-updates.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from domain.reading import RejectionReason
from domain.report import ConnectionState, FirmwareState
from ingest.decode import Problem, TelemetryPart, decode_document, describe, split_telemetry
from ingest.device_table import Route, TopicKind
from ingest.formats.contract import Part, ReportPart

# ThingsBoard knows two packages: the firmware, and the software that runs on it.
_PACKAGES = {"fw": "main", "sw": "software"}
_UPDATE_KEYS = frozenset(
    f"{prefix}_{name}"
    for package in _PACKAGES
    for prefix, name in (
        (package, "title"),
        (package, "version"),
        (package, "state"),
        (package, "error"),
        (f"current_{package}", "title"),
        (f"current_{package}", "version"),
    )
)


def decode_gateway_telemetry(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """Telemetry by serial. A part that has neither `ts` nor `values` is taken for values of this moment, as
    ThingsBoard takes it; what is said of an update is split off as attributes and a firmware report."""
    document = decode_document(payload)
    if isinstance(document, Problem):
        yield document
        return
    for part in split_telemetry(document, None):
        if isinstance(part, Problem) or not isinstance(part.body, dict):
            yield part
        else:
            yield from _split_updates(part)


def _split_updates(part: TelemetryPart) -> Iterator[Part]:
    body = part.body
    if body and "ts" not in body and "values" not in body:
        body = {"values": body}
        part = TelemetryPart(part.serial, part.path, body, name_field=partial(_name_field, "values", part.path))
        where = part.path
    else:
        where = f"{part.path}.values"
    values = body.get("values")
    if not isinstance(values, dict) or values.keys().isdisjoint(_UPDATE_KEYS):
        yield part
        return
    said = {key: value for key, value in values.items() if key in _UPDATE_KEYS}
    rest = {key: value for key, value in values.items() if key not in _UPDATE_KEYS}
    if rest:
        yield TelemetryPart(part.serial, part.path, body | {"values": rest}, name_field=part.name_field)
    time = {"ts": body["ts"]} if "ts" in body else {}
    name_field = partial(_name_field, "attributes", where)
    yield ReportPart(part.serial, part.path, TopicKind.ATTRIBUTES, time | {"attributes": said}, name_field)
    yield from _find_firmware(part.serial, part.path, said, time)


def _name_field(holder: str, path: str, name: str) -> str:
    """The path of a field of `holder`, which the message does not have: its fields stand right below `path`."""
    bare = name.removeprefix(holder).removeprefix(".")
    return f"{path}.{bare}" if bare else path


def decode_gateway_attributes(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """Attributes by serial, and a firmware report for those that name what a device runs."""
    document = decode_document(payload)
    if isinstance(document, Problem):
        yield document
    elif not isinstance(document, dict):
        detail = f"a gateway's message is an object of serials, not {describe(document)}"
        yield Problem(RejectionReason.WRONG_SHAPE, None, detail)
    elif not document:
        yield Problem(RejectionReason.EMPTY, None, "the object names no device")
    else:
        for serial, attributes in document.items():
            if not isinstance(attributes, dict):
                detail = f"must be an object of attributes, not {describe(attributes)}"
                yield Problem(RejectionReason.WRONG_SHAPE, serial, detail, serial)
                continue
            name_field = partial(_name_field, "attributes", serial)
            yield ReportPart(serial, serial, TopicKind.ATTRIBUTES, {"attributes": attributes}, name_field)
            yield from _find_firmware(serial, serial, attributes, {})


def _find_firmware(serial: str, path: str, said: dict[str, Any], time: dict[str, Any]) -> Iterator[ReportPart]:
    """What a device runs, or which update it is at.

    While an update is under way `current_fw_version` is still the old version, and the new one is `fw_version`, which
    only some devices repeat: without it nobody can tell what is being downloaded, and the attributes say all there is.
    """
    for package, component in _PACKAGES.items():
        current, target = said.get(f"current_{package}_version"), said.get(f"{package}_version")
        state = said.get(f"{package}_state", FirmwareState.UPDATED.value)
        is_done = state == FirmwareState.UPDATED
        version, previous = (current or target, None) if is_done else (target, current)
        if not isinstance(version, str) or not version.strip() or state not in list(FirmwareState):
            continue
        body = time | {"component": component, "version": version, "state": state}
        for name, text in (("previous", previous), ("error", said.get(f"{package}_error"))):
            if isinstance(text, str) and text:
                body[name] = text
        yield ReportPart(serial, path, TopicKind.FIRMWARE, body)


def decode_connect(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """A device came."""
    yield from _read_presence(payload, ConnectionState.ONLINE)


def decode_disconnect(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """A device went."""
    yield from _read_presence(payload, ConnectionState.OFFLINE)


def _read_presence(payload: bytes, state: ConnectionState) -> Iterator[Part]:
    document = decode_document(payload)
    if isinstance(document, Problem):
        yield document
        return
    serial = document.get("device") if isinstance(document, dict) else None
    if isinstance(serial, str) and serial:
        yield ReportPart(serial, "", TopicKind.STATUS, {"state": state.value})
    elif isinstance(document, dict):
        yield Problem(RejectionReason.WRONG_SHAPE, "device", f"must be a serial, not {describe(serial)}")
    else:
        detail = f'must be an object {{"device": …}}, not {describe(document)}'
        yield Problem(RejectionReason.WRONG_SHAPE, None, detail)
