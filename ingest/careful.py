"""One message at a time, with care: its good readings and reports, and a rejection for every problem it has. Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from domain.clock import from_micros
from domain.counting import say_count
from domain.reading import Rejection, RejectionReason
from domain.report import Report
from ingest.attributes import judge_attributes
from ingest.decode import (
    MAX_MESSAGE_TEXT,
    Problem,
    TelemetryPart,
    clean_text,
    describe,
    parse_event,
    parse_firmware,
    parse_status,
    shorten,
)
from ingest.device_table import DeviceEntry, DeviceTable, Route, TopicKind, WireFormat, is_spoken_for
from ingest.formats.compression import unpack
from ingest.formats.contract import Decoder, Part, ReportPart
from ingest.formats.own_json import decode_own_json
from ingest.formats.senml import decode_senml_cbor, decode_senml_json
from ingest.formats.thingsboard import (
    decode_connect,
    decode_disconnect,
    decode_gateway_attributes,
    decode_gateway_telemetry,
)
from ingest.message import Message
from ingest.sparkplug.edges import decode_alone
from ingest.validate import Judged, TimeWindow, join_path, judge_telemetry, judge_time, weigh

MAX_REJECTIONS = 20  # of one message; the rest is summed up in one more
# A larger one is kept whole with the first rejection of its message only: with each it would be 21 times as much.
WHOLE_PAYLOAD = 2_048
EXCERPT = 1_024
KEPT_OVERSIZED = 65_536
RETAIN = 1
RETAIN_OR_DUP = RETAIN | 8

_Parser: TypeAlias = Callable[[Any, int, int, int], Report | tuple[str, str]]
_PARSERS: dict[TopicKind, _Parser] = {
    TopicKind.FIRMWARE: parse_firmware,
    TopicKind.EVENT: parse_event,
    TopicKind.STATUS: parse_status,
}
# One more wire format is one more line here; none of them knows the others.
_DECODERS: dict[WireFormat, Decoder] = {
    WireFormat.JSON: decode_own_json,
    WireFormat.SENML_JSON: decode_senml_json,
    WireFormat.SENML_CBOR: decode_senml_cbor,
    WireFormat.THINGSBOARD_TELEMETRY: decode_gateway_telemetry,
    WireFormat.THINGSBOARD_ATTRIBUTES: decode_gateway_attributes,
    WireFormat.THINGSBOARD_CONNECT: decode_connect,
    WireFormat.THINGSBOARD_DISCONNECT: decode_disconnect,
}


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """A report and how it came. A repeated one (retained, or sent again) may be old news; one without a time of its
    own has that of its receipt. What its sender numbers (Sparkplug) is no repeated one, or it would not be here."""

    report: Report
    has_time: bool
    may_repeat: bool
    message_no: int = 0
    is_numbered: bool = False


class Refusal(NamedTuple):
    """That values were refused, for the counts of their device; people read the rejection."""

    message_no: int
    device: int  # its position in the table, or that of no device
    reason: RejectionReason
    weight: int  # values that are lost by it
    observed_us: int | None = None  # of a time from the future


@dataclass(slots=True)
class Found:
    """What is in one message."""

    judged: Judged = field(default_factory=Judged)
    reports: list[ReceivedReport] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    rejected: int = 0


def read_carefully(
    message: Message,
    table: DeviceTable,
    window: TimeWindow,
    max_payload: int,
    max_values: int,
    sparkplug: Decoder | None = None,
) -> Found:
    """All that the message says and gets wrong.

    `sparkplug` remembers what edge nodes said before; without it only births can be read.
    """
    route = table.find_route(message.topic)
    found = Found()
    decode = _DECODERS.get(route.format) or sparkplug or decode_alone(table, max_payload, max_values)
    problem = _read(message, route, table, window, max_payload, max_values, decode, found)
    if problem is not None:
        found.judged.problems.append(problem)
    found.rejected = sum(problem.weight for problem in found.judged.problems)
    found.refusals = [
        Refusal(
            0, table.find_position(problem.serial or route.serial), problem.reason, problem.weight, problem.observed_us
        )
        for problem in found.judged.problems
    ]
    found.rejections = _to_rejections(found.judged.problems, message, route, window)
    return found


def _read(
    message: Message,
    route: Route,
    table: DeviceTable,
    window: TimeWindow,
    max_payload: int,
    max_values: int,
    decode: Decoder,
    found: Found,
) -> Problem | None:
    if message.size > max_payload:
        detail = f"{say_count(message.size, 'byte')}; a message has at most {max_payload:,}"
        return Problem(RejectionReason.TOO_LARGE, None, detail)
    if route.kind is TopicKind.UNKNOWN:
        return Problem(RejectionReason.UNKNOWN_TOPIC, None, "no such topic is part of the contract")
    if route.format is WireFormat.SPARKPLUG and message.header & RETAIN:
        detail = "it is retained, so that nobody can tell when it was sent"
        return Problem(RejectionReason.NOT_SPARKPLUG, None, detail)
    payload = unpack(message.payload, message.content_type, max_payload)
    if isinstance(payload, Problem):
        return payload
    parts: list[Part] = []
    count = 0
    for part in decode(payload, route, window.received_us):
        count += _count_values(part)
        if count <= max_values:
            parts.append(part)
    if count > max_values:
        detail = f"{say_count(count, 'value')}; a message has at most {max_values:,}"
        return Problem(RejectionReason.TOO_MANY_VALUES, None, detail, weight=count)
    for part in parts:
        if isinstance(part, Problem):
            found.judged.problems.append(part)
            continue
        device = table.devices.get(part.serial)
        # An edge node speaks for itself, under the serial that is its id.
        is_own = route.format is WireFormat.SPARKPLUG and part.serial == route.gateway
        if device is not None and route.by_gateway and not is_own and not is_spoken_for(device, route.gateway):
            found.judged.problems.append(_refuse_gateway(part, device, route))
        elif isinstance(part, TelemetryPart):
            if part.named_device and part.named_device != part.serial and part.named_device in table.devices:
                found.judged.problems.append(_refuse_stranger(part))
                continue
            judge_telemetry(part, device, window, found.judged)
        else:
            _read_report(part, message, route, table, window, found)
    return None


def _refuse_gateway(part: TelemetryPart | ReportPart, device: DeviceEntry, route: Route) -> Problem:
    speaker = "a gateway that its topic does not name" if route.gateway is None else f"the gateway {route.gateway!r}"
    owner = "no gateway" if device.gateway is None else f"the gateway {device.gateway!r}"
    detail = f"{speaker} spoke for {device.serial!r}, which is assigned to {owner}"
    return Problem(RejectionReason.NOT_ITS_GATEWAY, _name_part(part), detail, part.serial, _count_values(part))


def _refuse_stranger(part: TelemetryPart) -> Problem:
    """What a device says under the name of another one is nobody's reading."""
    detail = f"names the device {part.named_device!r}, on the topic of {shorten(part.serial)!r}"
    return Problem(RejectionReason.WRONG_SHAPE, _name_part(part), detail, part.serial, weigh(part.body))


def _name_part(part: TelemetryPart | ReportPart) -> str | None:
    """Where the part stands in its message; None for all of it."""
    return (part.name_field("") if part.name_field else part.path) or None


def _count_values(part: Part) -> int:
    """How many values there are in it, good or bad: what the limit of a message is about."""
    if isinstance(part, TelemetryPart):
        values = part.body.get("values") if type(part.body) is dict else None
        return (len(values) or 1) if type(values) is dict else weigh(part.body)
    return part.weight if isinstance(part, Problem) else 1


def _read_report(
    part: ReportPart, message: Message, route: Route, table: DeviceTable, window: TimeWindow, found: Found
) -> None:
    # The will of a device was written when it connected: what its own status says of time is of no use.
    has_own_time = part.kind is not TopicKind.STATUS or route.by_gateway
    report, problems = _judge_report(part, table.devices.get(part.serial), window, has_own_time)
    found.judged.problems += problems
    if report is not None:
        is_numbered = route.format is WireFormat.SPARKPLUG
        has_time = "ts" in part.body or not has_own_time
        may_repeat = bool(message.header & RETAIN_OR_DUP) and not is_numbered
        found.reports.append(ReceivedReport(report, has_time, may_repeat, is_numbered=is_numbered))


def _judge_report(
    part: ReportPart, device: DeviceEntry | None, window: TimeWindow, has_own_time: bool
) -> tuple[Report | None, list[Problem]]:
    body, path, serial = part.body, part.path, part.serial
    if device is None:
        detail = f"no device has the serial {shorten(serial)!r}"
        return None, [Problem(RejectionReason.UNKNOWN_SERIAL, path or None, detail, serial)]
    if not isinstance(body, dict):
        detail = f"must be an object, not {describe(body)}"
        return None, [Problem(RejectionReason.WRONG_SHAPE, path or None, detail, serial)]
    time = judge_time(body, path, window) if has_own_time else (window.received_us, 0)
    if isinstance(time, Problem):
        return None, [Problem(time.reason, time.field, time.detail, serial)]
    if part.kind is TopicKind.ATTRIBUTES:
        return judge_attributes(part, device.device_id, time[0], window.received_us)
    report = _PARSERS[part.kind](body, device.device_id, time[0], window.received_us)
    if isinstance(report, tuple):
        return None, [Problem(RejectionReason.WRONG_SHAPE, join_path(path, report[0]), report[1], serial)]
    return report, []


def _to_rejections(problems: list[Problem], message: Message, route: Route, window: TimeWindow) -> list[Rejection]:
    if not problems:
        return []
    if len(problems) > MAX_REJECTIONS + 1:
        rest = Counter(problem.reason for problem in problems[MAX_REJECTIONS:])
        counts = ", ".join(f"{n:,} {reason}" for reason, n in rest.most_common())
        detail = f"and {say_count(rest.total(), 'problem')} more: {counts}"
        lost = sum(problem.weight for problem in problems[MAX_REJECTIONS:])
        summary = Problem(rest.most_common(1)[0][0], None, detail, weight=lost)
        problems = [*problems[:MAX_REJECTIONS], summary]
    topic = clean_text(message.topic.decode("utf-8", "replace"), 1_000)
    payload = message.payload if message.size == len(message.payload) else message.payload[:KEPT_OVERSIZED]
    received_at = from_micros(window.received_us)
    rejections = []
    for i, problem in enumerate(problems):
        serial = problem.serial or route.serial
        rejections.append(
            Rejection(
                received_at=received_at,
                topic=topic,
                serial=None if serial is None else clean_text(serial, 64),
                reason=problem.reason,
                field=None if problem.field is None else clean_text(problem.field),
                detail=clean_text(problem.detail, MAX_MESSAGE_TEXT),
                payload=payload if i == 0 or len(payload) <= WHOLE_PAYLOAD else payload[:EXCERPT],
                weight=problem.weight,
                size=message.size,
                content_type=clean_text(message.content_type),
            )
        )
    return rejections
