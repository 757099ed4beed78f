"""Payloads to documents, and documents to what they say: pure and total, any bytes give a value, never an exception."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from domain.breach import Severity
from domain.clock import to_micros
from domain.counting import say_count
from domain.reading import RejectionReason
from domain.report import ConnectionState, EventReport, FirmwareReport, FirmwareState, StatusReport

MAX_TEXT = 200
MAX_MESSAGE_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message, or one part of it, is refused. `field` is the path inside the payload, None for all of it.

    `weight` is how many values are lost by it: 1 for what holds none that can be counted, 0 for a mere remark.
    """

    reason: RejectionReason
    field: str | None
    detail: str
    serial: str | None = None
    weight: int = 1
    observed_us: int | None = None  # of a time from the future: it tells how far that clock is ahead


@dataclass(frozen=True, slots=True)
class Duplicated:
    """Stands for the value of a key that an object holds more than once: which one is meant, nobody can tell."""

    count: int


def decode_document(payload: bytes) -> Any | Problem:
    """The JSON document, or why it is none.

    More than JSON is read on purpose: NaN and Infinity, which many devices write, so that the values beside them are
    not lost. A key that stands twice gives `Duplicated`.
    """
    if not payload.strip(b" \t\r\n"):
        return Problem(RejectionReason.EMPTY, None, "the message is empty")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        return Problem(RejectionReason.NOT_UTF8, None, f"byte {error.start} is not UTF-8")
    try:
        return json.loads(text, object_pairs_hook=_build_object, parse_int=_parse_integer)
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}"
        return Problem(RejectionReason.NOT_JSON, None, detail)
    except RecursionError:
        return Problem(RejectionReason.NOT_JSON, None, "it is nested too deeply")


def _parse_integer(digits: str) -> int | float:
    # Python refuses to read very long integers; as a float they are out of any range, which is what they are.
    return int(digits) if len(digits) < 20 else float(digits)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        document = {k: Duplicated(n) if (n := keys.count(k)) > 1 else v for k, v in document.items()}
    return document


def is_plain(payload: bytes, string_count: int) -> bool:
    """Whether the payload holds just so many strings: then no key in it stands twice.

    For payloads that a quick parser has read, which keeps the last of equal keys and says nothing.
    """
    return payload.count(b'"') == 2 * string_count


class TelemetryPart(NamedTuple):
    """One `{"ts", "values"}` of a message, not judged yet. `path` is where it stands, e.g. "SN-1[3]" or "".

    `counts_from_receipt`: its `ts` was counted from the time of receipt, so it is no time of the device's own clock.
    `is_historical`: sent long after it was measured, as the sender says: stored as late, and no sign of life.
    `named_device`: what the payload itself calls the device, where the topic has named it already; "" for nothing.
    `name_field` gives the path in the message of a field of the body ("ts", "values.flow"); by default it is below
    `path`.
    """

    serial: str
    path: str
    body: Any
    counts_from_receipt: bool = False
    is_historical: bool = False
    named_device: str = ""
    name_field: Callable[[str], str | None] | None = None


def split_telemetry(document: Any, serial: str | None) -> Iterator[TelemetryPart | Problem]:
    """The parts of a telemetry document in their order: of one device, or of those behind a gateway (serial None)."""
    if serial is not None:
        yield from _split_list(document, serial, "")
    elif isinstance(document, dict):
        if not document:
            yield Problem(RejectionReason.EMPTY, None, "the object names no device")
        for key, items in document.items():
            yield from _split_list(items, key, key)
    else:
        detail = f"a gateway's message is an object of serials, not {describe(document)}"
        yield Problem(RejectionReason.WRONG_SHAPE, None, detail)


def _split_list(items: Any, serial: str, path: str) -> Iterator[TelemetryPart | Problem]:
    if isinstance(items, list):
        if not items:
            yield Problem(RejectionReason.EMPTY, path or None, "the list is empty", serial)
        for i, item in enumerate(items):
            yield TelemetryPart(serial, f"{path}[{i}]", item)
    else:
        yield TelemetryPart(serial, path, items)


TELEMETRY_LEVELS = 3  # an object of serials, a list, an object with values: what lies deeper is no telemetry


def count_values(document: Any, levels: int = TELEMETRY_LEVELS) -> int:
    """How many values a telemetry document holds, at least: what the limit of a message is about.

    However deep a document is nested, nothing below the levels that telemetry has is looked at.
    """
    if levels and isinstance(document, dict):
        values = document.get("values")
        if isinstance(values, dict):
            return len(values)
        return sum(count_values(item, levels - 1) for item in document.values())
    if levels and isinstance(document, list):
        return sum(count_values(item, levels - 1) for item in document if isinstance(item, dict))
    return 0


_LAST_MS = 9_000_000_000_000_000


def parse_time(value: Any) -> int | str:
    """Microseconds since 1970 of a `ts`, or what is wrong with it. Out of a 64-bit range counts as wrong."""
    if type(value) is int and -_LAST_MS <= value <= _LAST_MS:
        return value * 1000
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return f"must be milliseconds since 1970 or an RFC 3339 text, not {describe(value)}"
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return f"{shorten(value)!r} is not an RFC 3339 time"
        if instant.tzinfo is None:
            return f"{shorten(value)!r} has no offset from UTC"
        return to_micros(instant)
    if not -_LAST_MS <= value <= _LAST_MS:
        return f"{shorten(str(value))} is no time in milliseconds since 1970"
    return round(value * 1000)


def parse_firmware(body: Any, device_id: int, observed_us: int, received_us: int) -> FirmwareReport | tuple[str, str]:
    """The firmware report, or field and reason of what is wrong."""
    component, version = body.get("component", "main"), body.get("version")
    previous, error = body.get("previous"), body.get("error")
    for name, text in (("component", component), ("version", version)):
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
            return name, f"must be a text of 1 to {MAX_TEXT} characters, not {describe(text)}"
    for name, text in (("previous", previous), ("error", error)):
        if text is not None and not isinstance(text, str):
            return name, f"must be a text, not {describe(text)}"
    if body.get("state") not in list(FirmwareState):
        return "state", f"must be one of {', '.join(FirmwareState)}, not {describe(body.get('state'))}"
    return FirmwareReport(
        device_id=device_id,
        observed_us=observed_us,
        received_us=received_us,
        component=clean_text(component),
        version=clean_text(version),
        state=FirmwareState(body["state"]),
        previous=None if previous is None else clean_text(previous),
        error=None if error is None else clean_text(error, MAX_MESSAGE_TEXT),
    )


def parse_event(body: Any, device_id: int, observed_us: int, received_us: int) -> EventReport | tuple[str, str]:
    """The event, or field and reason of what is wrong."""
    code, message = body.get("code"), body.get("message", "")
    if not isinstance(code, str) or not code.strip() or len(code) > MAX_TEXT:
        return "code", f"must be a text of 1 to {MAX_TEXT} characters, not {describe(code)}"
    if not isinstance(message, str):
        return "message", f"must be a text, not {describe(message)}"
    if body.get("severity") not in list(Severity):
        return "severity", f"must be one of {', '.join(Severity)}, not {describe(body.get('severity'))}"
    return EventReport(
        device_id=device_id,
        observed_us=observed_us,
        received_us=received_us,
        code=clean_text(code),
        severity=Severity(body["severity"]),
        message=clean_text(message, MAX_MESSAGE_TEXT),
    )


def parse_status(body: Any, device_id: int, observed_us: int, received_us: int) -> StatusReport | tuple[str, str]:
    """The status, or field and reason of what is wrong."""
    if body.get("state") not in list(ConnectionState):
        return "state", f"must be one of {', '.join(ConnectionState)}, not {describe(body.get('state'))}"
    return StatusReport(device_id, observed_us, received_us, ConnectionState(body["state"]))


def describe(value: Any) -> str:
    """A value as a person would name it, short whatever it is."""
    if isinstance(value, Duplicated):
        return f"{say_count(value.count, 'value')} under the same key"
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else "a list"
        return f"{kind} of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > 256:
        # Python would refuse to write a longer one down.
        return f"a whole number of {say_count(value.bit_length(), 'bit')}"
    if isinstance(value, bytes):
        return say_count(len(value), "byte")
    if isinstance(value, str | int | float):
        return shorten(repr(value if isinstance(value, int | float) else value[:200]))
    return f"a value of the type {type(value).__name__}"


def shorten(text: str, limit: int = 80) -> str:
    """At most `limit` characters of a text that came from outside."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """The text as PostgreSQL can hold it: no NUL, no lone surrogate, at most `limit` characters."""
    return shorten(text, limit).replace("\0", "�").encode("utf-8", "replace").decode()


load_quickly = orjson.loads  # a quarter of the time of json.loads, without its NaN
QUICK_ERRORS = (orjson.JSONDecodeError,)
