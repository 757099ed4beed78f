"""One message at a time, with care: its good readings and reports, and a rejection for every problem it has. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from domain.clock import from_micros
from domain.reading import Rejection, RejectionReason
from domain.report import Report
from ingest.decode import (
    MAX_MESSAGE_TEXT,
    Problem,
    clean_text,
    count_values,
    decode_document,
    describe,
    parse_event,
    parse_firmware,
    parse_status,
    shorten,
    split_telemetry,
)
from ingest.device_table import DeviceEntry, DeviceTable, Route, TopicKind
from ingest.message import Message
from ingest.validate import Judged, TimeWindow, join_path, judge_telemetry, judge_time

MAX_REJECTIONS = 20  # of one message; the rest is summed up in one more
WHOLE_PAYLOAD = 16_384  # a larger one is kept whole with the first rejection of a message only
EXCERPT = 1_024
KEPT_OVERSIZED = 65_536
RETAIN_OR_DUP = 1 | 8

_Parser: TypeAlias = Callable[[Any, int, int, int], Report | tuple[str, str]]
_PARSERS: dict[TopicKind, _Parser] = {
    TopicKind.FIRMWARE: parse_firmware,
    TopicKind.EVENT: parse_event,
    TopicKind.STATUS: parse_status,
}


@dataclass(frozen=True, slots=True)
class ReceivedReport:
    """A report and how it came. A repeated one (retained, or sent again) may be old news; one without a time of its
    own has that of its receipt."""

    report: Report
    has_time: bool
    may_repeat: bool
    message_no: int = 0


@dataclass(slots=True)
class Found:
    """What is in one message."""

    judged: Judged = field(default_factory=Judged)
    reports: list[ReceivedReport] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    rejected: int = 0


def read_carefully(
    message: Message, table: DeviceTable, window: TimeWindow, max_payload: int, max_values: int
) -> Found:
    """All that the message says and gets wrong."""
    route = table.find_route(message.topic)
    found = Found()
    problem = _read(message, route, table, window, max_payload, max_values, found)
    if problem is not None:
        found.judged.problems.append(problem)
    found.rejected = sum(problem.weight for problem in found.judged.problems)
    found.rejections = _to_rejections(found.judged.problems, message, route, window)
    return found


def _read(
    message: Message,
    route: Route,
    table: DeviceTable,
    window: TimeWindow,
    max_payload: int,
    max_values: int,
    found: Found,
) -> Problem | None:
    if message.size > max_payload:
        detail = f"{message.size:,} bytes; a message has at most {max_payload:,}"
        return Problem(RejectionReason.TOO_LARGE, None, detail)
    if route.kind is TopicKind.UNKNOWN:
        return Problem(RejectionReason.UNKNOWN_TOPIC, None, "no such topic is part of the contract")
    document = decode_document(message.payload)
    if isinstance(document, Problem):
        return document
    if route.kind is not TopicKind.TELEMETRY:
        _read_reports(document, message, route, table, window, found)
        return None
    count = count_values(document)
    if count > max_values:
        detail = f"{count:,} values; a message has at most {max_values:,}"
        return Problem(RejectionReason.TOO_MANY_VALUES, None, detail, weight=count)
    for part in split_telemetry(document, route.serial):
        if isinstance(part, Problem):
            found.judged.problems.append(part)
        else:
            judge_telemetry(part, table.devices.get(part.serial), window, found.judged)
    return None


def _read_reports(
    document: Any, message: Message, route: Route, table: DeviceTable, window: TimeWindow, found: Found
) -> None:
    for serial, path, body in _split_reports(document, route, found.judged.problems):
        device = table.devices.get(serial)
        # The will of a device was written when it connected: what its own status says of time is of no use.
        has_own_time = route.kind is not TopicKind.STATUS or route.by_gateway
        report = _read_report(body, path, serial, device, route.kind, window, has_own_time)
        if isinstance(report, Problem):
            found.judged.problems.append(report)
        else:
            has_time = "ts" in body or not has_own_time
            found.reports.append(ReceivedReport(report, has_time, bool(message.header & RETAIN_OR_DUP)))


def _split_reports(document: Any, route: Route, problems: list[Problem]) -> Iterator[tuple[str, str, Any]]:
    if not route.by_gateway:
        yield route.serial or "", "", document
    elif isinstance(document, dict):
        if not document:
            problems.append(Problem(RejectionReason.EMPTY, None, "the object names no device"))
        for serial, body in document.items():
            yield serial, serial, body
    else:
        detail = f"a gateway's message is an object of serials, not {describe(document)}"
        problems.append(Problem(RejectionReason.WRONG_SHAPE, None, detail))


def _read_report(
    body: Any,
    path: str,
    serial: str,
    device: DeviceEntry | None,
    kind: TopicKind,
    window: TimeWindow,
    has_own_time: bool,
) -> Report | Problem:
    if device is None:
        detail = f"no device has the serial {shorten(serial)!r}"
        return Problem(RejectionReason.UNKNOWN_SERIAL, path or None, detail, serial)
    if not isinstance(body, dict):
        return Problem(RejectionReason.WRONG_SHAPE, path or None, f"must be an object, not {describe(body)}", serial)
    time = judge_time(body, path, window) if has_own_time else (window.received_us, 0)
    if isinstance(time, Problem):
        return Problem(time.reason, time.field, time.detail, serial)
    report = _PARSERS[kind](body, device.device_id, time[0], window.received_us)
    if isinstance(report, tuple):
        return Problem(RejectionReason.WRONG_SHAPE, join_path(path, report[0]), report[1], serial)
    return report


def _to_rejections(problems: list[Problem], message: Message, route: Route, window: TimeWindow) -> list[Rejection]:
    if not problems:
        return []
    if len(problems) > MAX_REJECTIONS + 1:
        rest = Counter(problem.reason for problem in problems[MAX_REJECTIONS:])
        counts = ", ".join(f"{n:,} {reason}" for reason, n in rest.most_common())
        summary = Problem(rest.most_common(1)[0][0], None, f"and {rest.total():,} problems more: {counts}")
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
            )
        )
    return rejections
