"""Forewarn's own JSON: telemetry and reports, of one device or of those behind a gateway."""

from collections.abc import Iterator
from typing import Any

from domain.reading import RejectionReason
from ingest.decode import Problem, decode_document, describe, split_telemetry
from ingest.device_table import Route, TopicKind
from ingest.formats.contract import Part, ReportPart


def decode_own_json(payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
    """The parts of one payload, as docs/reference/topics.md has them."""
    document = decode_document(payload)
    if isinstance(document, Problem):
        yield document
    elif route.kind is TopicKind.TELEMETRY:
        yield from split_telemetry(document, route.serial)
    else:
        yield from _split_reports(document, route)


def _split_reports(document: Any, route: Route) -> Iterator[Part]:
    if not route.by_gateway:
        yield ReportPart(route.serial or "", "", route.kind, document)
    elif isinstance(document, dict):
        if not document:
            yield Problem(RejectionReason.EMPTY, None, "the object names no device")
        for serial, body in document.items():
            yield ReportPart(serial, serial, route.kind, body)
    else:
        detail = f"a gateway's message is an object of serials, not {describe(document)}"
        yield Problem(RejectionReason.WRONG_SHAPE, None, detail)
