"""Attributes of devices: which may be kept, and why others may not. Pure and total."""

import json
import re
from typing import Any

from domain.counting import say_count
from domain.reading import RejectionReason
from domain.report import MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_KEY, MAX_ATTRIBUTES, AttributeReport
from ingest.decode import Problem, clean_text, describe, shorten
from ingest.formats.contract import ReportPart
from ingest.validate import join_path

# A backslash that stands for itself, or the one character that a database's JSON cannot hold.
_ESCAPES = re.compile(r"\\\\|\\u0000")


def judge_attributes(
    part: ReportPart, device_id: int, observed_us: int, received_us: int
) -> tuple[AttributeReport | None, list[Problem]]:
    """What may be kept of `{"attributes": {…}}`, and a problem for each attribute that may not."""
    serial = part.serial

    def name_field(name: str) -> str | None:
        return part.name_field(name) if part.name_field else join_path(part.path, name)

    where = name_field("attributes")
    given = part.body.get("attributes")
    if not isinstance(given, dict):
        detail = "is missing" if given is None else f"must be an object, not {describe(given)}"
        return None, [Problem(RejectionReason.WRONG_SHAPE, where, detail, serial)]
    if not given:
        return None, [Problem(RejectionReason.EMPTY, where, "holds no attribute", serial)]
    if len(given) > MAX_ATTRIBUTES:
        detail = f"{say_count(len(given), 'attribute')}; a device has at most {MAX_ATTRIBUTES}"
        return None, [Problem(RejectionReason.TOO_MANY_VALUES, where, detail, serial, len(given))]
    kept: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        found = _clean_attribute(key, value)
        if isinstance(found, tuple):
            reason, detail = found
            problems.append(Problem(reason, name_field(f"attributes.{shorten(key)}"), detail, serial))
        else:
            kept[clean_text(key)] = json.loads(found)
    return AttributeReport(device_id, observed_us, received_us, kept) if kept else None, problems


def _clean_attribute(key: str, value: Any) -> str | tuple[RejectionReason, str]:
    """The value as JSON that the database can hold, or reason and detail of why it cannot."""
    if not key.strip() or len(key) > MAX_ATTRIBUTE_KEY:
        return RejectionReason.WRONG_SHAPE, f"an attribute's name has 1 to {MAX_ATTRIBUTE_KEY} characters"
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        # NaN, a key that stands twice, or nested without end.
        return RejectionReason.WRONG_SHAPE, f"must be JSON, not {describe(value)}"
    text = _ESCAPES.sub(lambda escape: escape[0] if escape[0] == "\\\\" else "�", text)
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > MAX_ATTRIBUTE_BYTES:
        detail = f"{say_count(len(encoded), 'byte')}; an attribute has at most {MAX_ATTRIBUTE_BYTES:,}"
        return RejectionReason.TOO_LARGE, detail
    return encoded.decode()
