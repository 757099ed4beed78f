"""What is the matter with a form of a work order's records: the sentence above it, and the reason at each field."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from api.console.form_faults import Fault, Why, find_shape_faults, find_told_fault, say_fault
from api.console.guard_fields import find_guard_marks
from api.console.order_sections import Refused
from api.console.page import View
from api.console.record_faults import say_record_faults
from api.console.signing_words import say_unsigned_problem
from api.console.visit_views import read_local_time
from api.field_faults import find_field_errors
from api.problems import INVALID, FieldError, ProblemError
from api.shapes.pages import verify_instant
from domain.errors import GuardRefusedError, NotFoundError

FindMarks = Callable[[GuardRefusedError, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent: of which section, and what stood in its fields."""

    section: str
    values: Mapping[str, str]
    places: dict[str, str] = field(default_factory=dict)  # of a field of the API that of the form, if called otherwise

    def refuse(self, problem: str, status: int, wrong: Mapping[str, str] | None = None) -> Refused:
        """The form as it comes back, never with its password."""
        typed = {name: value for name, value in self.values.items() if name != "password"}
        return Refused(self.section, problem, typed, status, wrong or {})

    def say_faults(self, view: View, faults: Mapping[str, Why]) -> dict[str, str]:
        """Each reason at the field of the form; what is empty is missing, whatever it was asked for."""
        named = {self.places.get(name, name): why for name, why in faults.items()}
        return {
            name: say_fault(view, why if self.values.get(name, "").strip() else Fault.MISSING)
            for name, why in named.items()
        }


def attempt(view: View, sent: Sent, work: Callable[[], object], find_marks: FindMarks | None = None) -> Refused | None:
    """Nothing when `work` was done, else why not, in this person's words; a rule says so at the fields of `find_marks`,
    without it at those that the rule is about wherever it refuses.

    Raises
    ------
    ProblemError
        Another problem than one that a person at this form can do something about.
    """
    try:
        work()
    except GuardRefusedError as refused:
        said = view.name("record_guard", refused.guard)
        marks = find_guard_marks(refused.guard, said, sent.values) if find_marks is None else find_marks(refused, said)
        return sent.refuse(said, 409, marks)
    except NotFoundError as missing:
        return sent.refuse(str(missing), 404)
    except ValidationError as wrong:
        errors = find_field_errors(wrong.errors())
        faults = find_shape_faults(wrong) | {
            error.field: find_told_fault(error) for error in errors if "." in error.field
        }
        return sent.refuse(say_record_faults(view, errors), 422, sent.say_faults(view, faults))
    except ValueError:
        return sent.refuse(view.t("record.not_a_value"), 422)
    except ProblemError as problem:
        unsigned = say_unsigned_problem(view, problem)
        if unsigned is not None:
            return sent.refuse(unsigned, problem.status, {"password": unsigned})
        if problem.status != 422:
            raise
        said, faults = say_record_faults(view, problem.errors), _find_told_faults(sent, problem.errors)
        return sent.refuse(said, problem.status, sent.say_faults(view, faults))
    return None


def _find_told_faults(sent: Sent, errors: Iterable[FieldError]) -> dict[str, Why]:
    return {
        error.field: Fault.OUT_OF_TIME if _is_far(error, sent.values) else find_told_fault(error) for error in errors
    }


def _is_far(error: FieldError, values: Mapping[str, str]) -> bool:
    """Whether what was typed as a time is one, and lies where none is taken."""
    try:
        return error.code == "not_a_time" and bool(datetime.fromisoformat(values.get(error.field, "")))
    except ValueError:
        return False


def refuse_values(errors: Iterable[FieldError]) -> ProblemError:
    """The refusal of those fields of a form."""
    problem = ProblemError(INVALID)
    problem.errors = list(errors)
    return problem


def read_time(view: View, values: Mapping[str, str], name: str, zone: str | None) -> datetime | None:
    """The instant of that field, typed as a local time; None where nothing was typed.

    Raises
    ------
    ProblemError
        422: it is no time, or lies before 1970, or in 3000 or later.
    """
    try:
        at = read_local_time(view, values.get(name, ""), zone)
        return None if at is None else verify_instant(at)
    except (ValueError, OverflowError) as error:
        raise refuse_values([FieldError(field=name, detail="is not a time", code="not_a_time")]) from error
