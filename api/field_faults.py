"""What is the matter with a field of a request, as a code and a limit that a program says in its reader's language."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from api.problems import FieldError

# By the validator's own name of the fault; those that are not here are told by their text alone.
CODES: Mapping[str, str] = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_long": "too_many",
    "too_short": "too_few",
    "greater_than": "not_above",
    "greater_than_equal": "too_small",
    "less_than": "not_below",
    "less_than_equal": "too_large",
    "int_parsing": "not_a_number",
    "int_type": "not_a_number",
    "int_from_float": "not_a_number",
    "float_parsing": "not_a_number",
    "float_type": "not_a_number",
    "decimal_parsing": "not_a_number",
    "decimal_type": "not_a_number",
    "finite_number": "not_a_number",
    "decimal_max_places": "too_many_decimals",
    "decimal_max_digits": "too_many_digits",
    "decimal_whole_digits": "too_many_digits",
    "enum": "not_a_choice",
    "literal_error": "not_a_choice",
    "bool_parsing": "not_a_choice",
    "date_from_datetime_parsing": "not_a_time",
    "date_parsing": "not_a_time",
    "date_type": "not_a_time",
    "datetime_from_date_parsing": "not_a_time",
    "datetime_parsing": "not_a_time",
    "datetime_type": "not_a_time",
    "timezone_aware": "not_a_time",
    "string_pattern_mismatch": "wrong_form",
}
_LIMITS = ("max_length", "min_length", "gt", "ge", "lt", "le", "decimal_places", "max_digits", "whole_digits")


def find_field_errors(errors: Iterable[Mapping[str, Any]], *, skip: int = 0) -> list[FieldError]:
    """The validator's errors, each with its field (without the first `skip` parts of its path), code and limit."""
    found = []
    for error in errors:
        place = error["loc"][skip:] or error["loc"]
        code = CODES.get(str(error["type"]), "")
        limit = _find_limit(error.get("ctx") or {}) if code else None
        if code == "too_short" and limit == 1:
            code, limit = "empty", None
        found.append(FieldError(field=_name_field(place), detail=str(error["msg"]), code=code, limit=limit))
    return found


def _find_limit(context: Mapping[str, Any]) -> float | None:
    value = next((context[name] for name in _LIMITS if name in context), None)
    return float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else None


def _name_field(place: Sequence[str | int]) -> str:
    """`body.lines[2].serial` as `lines[2].serial`: the caller knows where his body is."""
    name = ""
    for part in place:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name
