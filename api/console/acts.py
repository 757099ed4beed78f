"""What can be done with a record: a form for whoever may, the reason for whoever may not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from api.console.page import View

# Characters of a text, and of a list such as the serials of a recall.
LONGEST = 10_000
LONGEST_LIST = 2_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `value` is what stands in it, typed or suggested."""

    name: str
    label: str
    kind: str = "text"  # text, textarea, select, checks (several of the options), or the type of an input
    value: str = ""  # of checks: the chosen ones with blanks between
    options: tuple[tuple[str, str], ...] = ()
    required: bool = True
    why: str = ""
    wrong: str = ""  # what is the matter with what was typed
    step: str = ""  # of a number
    theirs: str = ""  # what somebody else wrote meanwhile, where `is_disputed`
    is_disputed: bool = False
    limit: int = LONGEST  # characters of a text


@dataclass(frozen=True, slots=True)
class Act:
    """One step. With `refusal` it is shown and cannot be taken."""

    name: str
    label: str
    submit: str = ""
    key: str = ""
    action: str = ""
    to: str = ""
    row_version: int = 0
    explain: str = ""
    fields: tuple[Field, ...] = field(default=())
    hidden: tuple[tuple[str, str], ...] = ()
    refusal: str = ""
    second: tuple[str, str] = ("", "")  # another address for the same form, and what its button says
    open: bool = False


def name_act(view: View, name: str) -> tuple[str, str, str]:
    """Its name, what it is called, and what the button of its form says."""
    return name, view.t(f"act.{name}"), view.t(f"act.{name}_do")


def mark_fields(fields: Iterable[Field], wrong: Mapping[str, str]) -> tuple[Field, ...]:
    """The fields of a form, each with what is the matter with what was typed into it."""
    return tuple(replace(one, wrong=wrong.get(one.name, "")) for one in fields)


def list_typed(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """What stands in the fields of a form that is not on the page any more, each with what the field is called; never
    a password."""
    return [
        (one.label, dict(one.options).get(one.value, one.value))
        for one in fields
        if one.kind != "password" and one.value.strip()
    ]


def refuse_act(view: View, name: str, why: str) -> Act:
    """The act by its usual label, which cannot be taken, and why."""
    return Act(name, view.t(f"act.{name}"), refusal=why)
