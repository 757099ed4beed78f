"""Lists that people take out as files: which columns and filters each has, and when a second person is needed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.approval_request import ApprovalKind, ApprovalRequest, ApprovalState
from domain.masking import find_personal_fields
from domain.roles import Permission

# How long what was granted can be taken.
USABLE_FOR = timedelta(hours=24)
FORMATS = ("csv", "json")


class FilterKind(StrEnum):
    """What a filter takes."""

    TEXT = "text"
    TEXTS = "texts"  # one or several
    INSTANT = "instant"
    FLAG = "flag"


class ExportGuard(StrEnum):
    """The rule that refused an export; a 409 names it. Values never change."""

    APPROVAL_MISSING = "approval_missing"
    APPROVAL_OF_ANOTHER = "approval_of_another"
    APPROVAL_NOT_GRANTED = "approval_not_granted"
    APPROVAL_OVER = "approval_over"
    APPROVAL_DIFFERS = "approval_differs"
    APPROVAL_USED = "approval_used"


@dataclass(frozen=True, slots=True)
class ExportList:
    """One list. Columns that name people are those that `domain.masking` knows of the record."""

    name: str
    record: str  # as domain.masking names it
    permission: Permission  # that reads the list, beside export.take
    columns: tuple[str, ...]
    filters: Mapping[str, FilterKind]

    @property
    def personal_columns(self) -> frozenset[str]:
        """Those that name people: a second person must agree."""
        return find_personal_fields(self.record) & frozenset(self.columns)

    @property
    def default_columns(self) -> tuple[str, ...]:
        """All that name nobody."""
        return tuple(name for name in self.columns if name not in self.personal_columns)


@dataclass(frozen=True, slots=True)
class ExportWish:
    """What somebody wants to take: exactly what a second person would grant."""

    list: str
    format: str
    filter: Mapping[str, Any]
    columns: tuple[str, ...]

    @property
    def payload(self) -> dict[str, Any]:
        """As it stands in the request for approval."""
        return {"format": self.format, "filter": dict(self.filter), "columns": list(self.columns)}


@dataclass(frozen=True, slots=True)
class ExportRefusal:
    """Why an export may not be taken: the guard, and a sentence for people."""

    guard: ExportGuard
    detail: str


def find_column_problems(what: ExportList, columns: Sequence[str]) -> dict[str, str]:
    """Field -> what is wrong with the wanted columns; empty: nothing."""
    unknown = [name for name in columns if name not in what.columns]
    if unknown:
        return {"columns": f"has no {', '.join(unknown)}; there are {', '.join(what.columns)}"}
    if not columns:
        return {"columns": "must name one or more"}
    return {} if len(set(columns)) == len(columns) else {"columns": "names one twice"}


def read_filter(what: ExportList, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of every filter of the list, None where it was not given, and field -> what is wrong."""
    values: dict[str, Any] = dict.fromkeys(what.filters)
    problems = {
        f"filter.{name}": f"is not known; there are {', '.join(what.filters)}"
        for name in given
        if name not in what.filters
    }
    for name, kind in what.filters.items():
        if name in given:
            value, problem = _read_value(kind, given[name])
            values[name] = value
            if problem:
                problems[f"filter.{name}"] = problem
    return values, problems


def _read_value(kind: FilterKind, given: Any) -> tuple[Any, str]:
    if kind is FilterKind.FLAG:
        return given, "" if isinstance(given, bool) else "must be true or false"
    if kind is FilterKind.TEXTS:
        texts = [given] if isinstance(given, str) else given
        is_right = isinstance(texts, list) and bool(texts) and all(isinstance(text, str) and text for text in texts)
        return texts, "" if is_right else "must be a text or a list of texts"
    if not isinstance(given, str) or not given:
        return None, "must be a text"
    if kind is FilterKind.TEXT:
        return given, ""
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return None, "must be an instant as in RFC 3339"
    return at, "" if at.tzinfo is not None else "must name its time zone"


def is_identifiable(what: ExportList, columns: Sequence[str]) -> bool:
    """Whether the file would name people."""
    return bool(what.personal_columns & frozenset(columns))


def find_wish_problems(lists: Mapping[str, ExportList], name: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """Field -> what is wrong with what a second person is asked to grant; empty: it can be asked."""
    what = lists.get(name)
    if what is None:
        return {"entity_id": f"must be one of {', '.join(sorted(lists))}"}
    if payload.keys() != {"format", "filter", "columns"}:
        return {"payload": "must hold format, filter and columns"}
    problems = {} if payload["format"] in FORMATS else {"payload.format": f"must be one of {', '.join(FORMATS)}"}
    columns, given = payload["columns"], payload["filter"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        return problems | {"payload.columns": "must be a list of names"}
    if not isinstance(given, Mapping):
        return problems | {"payload.filter": "must be an object"}
    found = find_column_problems(what, columns) | read_filter(what, given)[1]
    problems |= {f"payload.{field}": text for field, text in found.items()}
    if not problems and not is_identifiable(what, columns):
        problems["payload.columns"] = "names nobody: it needs no second person"
    return problems


def find_export_refusal(
    wish: ExportWish, request: ApprovalRequest | None, *, taker_id: int | None, is_used: bool, now: datetime
) -> ExportRefusal | None:
    """Why a file that names people may not be taken by this approval, or None."""
    if request is None:
        detail = f"a file that names people needs a granted request of kind {ApprovalKind.IDENTIFIABLE_EXPORT}"
        return ExportRefusal(ExportGuard.APPROVAL_MISSING, detail)
    if request.kind != ApprovalKind.IDENTIFIABLE_EXPORT or request.asked_by_id != taker_id:
        return ExportRefusal(ExportGuard.APPROVAL_OF_ANOTHER, f"{request.code} was not asked for by you for an export")
    if request.state != ApprovalState.GRANTED or request.decided_at is None:
        return ExportRefusal(ExportGuard.APPROVAL_NOT_GRANTED, f"{request.code} is {request.state}")
    if is_used:
        return ExportRefusal(ExportGuard.APPROVAL_USED, f"what {request.code} granted was taken before")
    if now >= request.decided_at + USABLE_FOR:
        return ExportRefusal(ExportGuard.APPROVAL_OVER, f"{request.code} was granted more than {USABLE_FOR} ago")
    if request.entity_id != wish.list or request.payload != wish.payload:
        return ExportRefusal(ExportGuard.APPROVAL_DIFFERS, f"{request.code} grants another list, filter or columns")
    return None


def find_watermark(code: str, full_name: str, name: str, at: datetime) -> str:
    """The line that a file carries: which export it is, who took it and when."""
    return f"Forewarn export {code}, taken by {full_name} ({name}) at {at:%Y-%m-%dT%H:%M:%SZ}"


def escape_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that begins like one is preceded by an apostrophe."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
