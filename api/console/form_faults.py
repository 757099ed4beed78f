"""What is the matter with a field of a form: one word for each reason, and the sentence that its writer reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from api.console.page import View
from api.field_faults import find_field_errors
from api.problems import FieldError


class Fault(StrEnum):
    """Why a field cannot be used. Those with a limit stand in a `Bound`; the words of the API are used where it has
    some."""

    MISSING = "missing"
    WRONG_FORM = "wrong_form"
    NOT_A_CHOICE = "not_a_choice"
    NOT_A_DATE = "not_a_date"
    NOT_A_TIME = "not_a_time"
    OUT_OF_TIME = "out_of_time"  # before 1970, or in 3000 or later
    IN_FUTURE = "in_future"
    NOT_A_NUMBER = "not_a_number"
    NOT_WHOLE = "not_whole"
    NOT_ABOVE = "not_above"
    NOT_BELOW = "not_below"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    TOO_MANY_DECIMALS = "too_many_decimals"
    TOO_MANY_DIGITS = "too_many_digits"
    # One word for what is not there and for what this person may not see: nothing is to be learnt of others' devices.
    NO_DEVICE = "no_device"
    NO_DEVICE_OF_MODEL = "no_device_of_model"
    NOT_OF_MODEL = "not_of_model"
    NO_CAPA = "no_capa"
    NO_FIRMWARE = "no_firmware"
    NO_RECORD = "no_record"
    NO_ORDER = "no_order"
    NOT_OF_WHOLE_MODEL = "not_of_whole_model"  # something that only a part of the devices has
    NO_ORDERED_VERSION = "no_ordered_version"
    TWO_ENDS = "two_ends"
    BEHIND_THE_END = "behind_the_end"

    def where(self, is_so: bool) -> "Fault | None":
        """This fault where it is so; nothing elsewhere."""
        return self if is_so else None


@dataclass(frozen=True, slots=True)
class Bound:
    """A fault with the limit that was passed."""

    fault: Fault
    limit: float


Why = Fault | Bound | str  # a text is a sentence of its own


def say_fault(view: View, why: Why) -> str:
    """The reason as a full sentence.

    Raises
    ------
    TypeError
        A field was marked without one.
    """
    match why:
        case Fault():
            return view.t(f"form_fault.{why.value}", limit="")
        case Bound():
            return view.t(f"form_fault.{why.fault.value}", limit=f"{why.limit:,.15g}")
        case str():
            return why
    raise TypeError(f"{why!r} is no reason")


def find_shape_faults(error: ValidationError, particular: Mapping[str, Why] | None = None) -> dict[str, Why]:
    """The fault of each field that a shape of the API refused; of `particular` where only its form was wrong."""
    found: dict[str, Why] = {str(one["loc"][0]): find_fault(one) for one in error.errors()}
    return found | {name: why for name, why in (particular or {}).items() if found.get(name) is Fault.WRONG_FORM}


def find_fault(error: Mapping[str, Any]) -> Fault | Bound:
    """One of the validator's errors as a fault."""
    (told,) = find_field_errors([error])
    return _BY_KIND.get(error["type"]) or find_told_fault(told)


def find_told_fault(told: FieldError) -> Fault | Bound:
    """A fault that the API told of, by its code."""
    fault = _BY_CODE.get(told.code, Fault.WRONG_FORM)
    return fault if told.limit is None else Bound(fault, told.limit)


_BY_CODE = {fault.value: fault for fault in Fault} | {"empty": Fault.MISSING}
# What the API has one word for and people do not.
_BY_KIND = {"int_type": Fault.NOT_WHOLE, "date_type": Fault.NOT_A_DATE, "date_from_datetime_parsing": Fault.NOT_A_DATE}
