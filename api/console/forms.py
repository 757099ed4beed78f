"""Forms of records: what was typed, the signature behind it, and what became of the step, with guards as sentences."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Depends, Form, Request
from pydantic import BeforeValidator
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.console.acts import LONGEST, LONGEST_LIST, Field, mark_fields
from api.console.conflict_words import say_conflict
from api.console.field_merge import Merged
from api.console.form_faults import Fault, Why, say_fault
from api.console.guard_fields import find_guard_marks
from api.console.instants import name_offset
from api.console.language import load_catalogue
from api.console.page import View
from api.console.signing_words import say_unsigned
from api.form_reading import read_form
from api.once import change
from api.problems import INVALID, FieldError, ProblemError
from api.shapes.pages import verify_day, verify_instant
from api.sign_in import check_password
from domain.audit import Signature
from domain.errors import GuardRefusedError, RowVersionConflictError
from store.pool import Connection, Pool


async def read_fields(request: Request) -> FormData:
    """What the form holds, fields that only some steps have included."""
    return await read_form(request)


def join_lines(text: object) -> object:
    """A text with line ends of one character, as a field's `maxlength` counts them: browsers send two of them."""
    return text.replace("\r\n", "\n") if isinstance(text, str) else text


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
Fields = Annotated[FormData, Depends(read_fields)]
LongText = Annotated[str, BeforeValidator(join_lines), Form(max_length=LONGEST)]
Version = Annotated[int, Form(ge=0)]  # that the form goes on from


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody sent that could not be done: the act by name, every field as it was typed, and which are wrong."""

    act: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    disputed: Mapping[str, str] = field(default_factory=dict)  # what others wrote, where the sender has to choose

    def of(self, act: str) -> "Typed":
        """What was typed into that act; nothing where another one was sent."""
        return self if self.act == act else NOTHING


NOTHING = Typed()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a step was not taken: the sentence for the top of the page, the status, and what was typed."""

    problem: str
    status: int
    typed: Typed


NOT_REFUSED = Refused("", 200, NOTHING)


def read_text(fields: FormData, name: str, limit: int = LONGEST) -> str:
    """That field without blanks around it, a line end being one character; empty where it was not sent.

    Raises
    ------
    ProblemError
        It has more characters than `limit`, which its field says too: nothing is cut off that somebody wrote.
    """
    value = join_lines(fields.get(name))
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > limit:
        raise refuse_too_long(name, limit)
    return text


def refuse_too_long(name: str, limit: int) -> ProblemError:
    """The refusal of that field for its length."""
    problem = ProblemError(INVALID)
    problem.errors = [FieldError(field=name, detail=f"has more characters than {limit}", code="too_long", limit=limit)]
    return problem


def read_many(fields: FormData, name: str) -> list[str]:
    """All values of the fields of that name."""
    return [value for value in fields.getlist(name) if isinstance(value, str)]


def read_list(fields: FormData, name: str) -> tuple[str, ...]:
    """What stands in that field, between blanks, line ends or commas, each once.

    Raises
    ------
    ProblemError
        It has more characters than `LONGEST_LIST`.
    """
    return tuple(dict.fromkeys(read_text(fields, name, LONGEST_LIST).replace(",", " ").split()))


def read_whole(fields: FormData, name: str) -> int | None:
    """The whole number of that field, or None."""
    text = read_text(fields, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def read_number(fields: FormData, name: str) -> float | None:
    """The finite number of that field, or None."""
    try:
        value = float(read_text(fields, name))
    except ValueError:
        return None
    return value if abs(value) < 1e12 else None


def read_sent_whole(fields: FormData, name: str) -> int | str | None:
    """The whole number of that field for a shape of the API to judge: what was typed where it is none, None where
    nothing was."""
    text = read_text(fields, name)
    return int(text) if _WHOLE.fullmatch(text) else text or None


def read_sent_number(fields: FormData, name: str) -> float | str | None:
    """The finite number of that field in the same way."""
    number = read_number(fields, name)
    return read_text(fields, name) or None if number is None else number


def read_day(fields: FormData, name: str) -> date | None:
    """The day of that field where the API would take it, or None."""
    try:
        return verify_day(date.fromisoformat(read_text(fields, name)))
    except ValueError:
        return None


def read_moment(view: View, fields: FormData, name: str) -> datetime | None:
    """The moment of that field, typed in the zone that this person reads times in, where the API would take it; or
    None."""
    try:
        local = datetime.fromisoformat(read_text(fields, name))
        return verify_instant(local.replace(tzinfo=view.find_zone()) if local.tzinfo is None else local).astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last days of all are in no other zone
        return None


def find_day_fault(fields: FormData, name: str) -> Fault | None:
    """Why `read_day` finds nothing in that field; None where it does, or nothing was typed."""
    text = read_text(fields, name)
    if not text or read_day(fields, name) is not None:
        return None
    return _find_time_fault(text, date.fromisoformat, Fault.NOT_A_DATE)


def find_moment_fault(view: View, fields: FormData, name: str) -> Fault | None:
    """Why `read_moment` finds nothing in that field; None where it does, or nothing was typed."""
    text = read_text(fields, name)
    if not text or read_moment(view, fields, name) is not None:
        return None
    return _find_time_fault(text, datetime.fromisoformat, Fault.NOT_A_TIME)


def _find_time_fault(text: str, read: Callable[[str], object], unreadable: Fault) -> Fault:
    try:
        read(text)
    except ValueError:
        return unreadable
    return Fault.OUT_OF_TIME


def write_moment(view: View, at: datetime | None) -> str:
    """The moment as it stands in its field, as `read_moment` reads it: with seconds where it has some."""
    if at is None:
        return ""
    local = at.astimezone(view.find_zone()).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if at.second else "minutes")


def say_zone(view: View) -> str:
    """In which zone times are typed."""
    return view.t("form.zone", zone=name_offset(view.now.astimezone(view.find_zone())))


def find_typed(act: str, fields: FormData, wrong: Mapping[str, str] | None = None) -> Typed:
    """What was typed, never the password."""
    kept = {name: " ".join(read_many(fields, name)) for name in fields if name not in ("password", "csrf_token")}
    return Typed(act, kept, wrong or {})


def find_unusable(view: View, act: str, fields: FormData, wrong: Mapping[str, Why | None]) -> Refused:
    """The refusal of a form with fields that cannot be used, each with its reason; an empty one is missing, whatever
    it was asked for."""
    said = {name: _find_reason(view, fields, name, why) for name, why in wrong.items() if why}
    return Refused(view.t("form.unusable"), 422, find_typed(act, fields, said))


def _find_reason(view: View, fields: FormData, name: str, why: Why) -> str:
    is_sentence = isinstance(why, str) and not isinstance(why, Fault)
    is_empty = not any(value.strip() for value in read_many(fields, name))
    return say_fault(view, why if is_sentence or not is_empty else Fault.MISSING)


def find_unsigned(why: str, act: str, fields: FormData) -> Refused:
    """The refusal of a form whose signature could not be made."""
    return Refused(why, 422, find_typed(act, fields, {"password": why}))


def say_guard(view: View, groups: str, guard: str) -> str:
    """The sentence of a guard: that of its own kind of record (several with blanks between), else the common one."""
    known = load_catalogue(view.language)
    group = next((group for group in groups.split() if f"{group}.{guard}" in known), "guard")
    return view.name(group, guard)


def find_guarded(view: View, groups: str, guard: str, typed: Typed) -> Refused:
    """The refusal by a guard, as its sentence, which stands at the fields too that it is about."""
    said = say_guard(view, groups, guard)
    return Refused(said, 409, replace(typed, wrong={**typed.wrong, **find_guard_marks(guard, said, typed.values)}))


def sign(view: View, pool: Pool, fields: FormData) -> Signature | str | None:
    """The signature behind a form that has a password; why not, as a sentence; None without a password."""
    caller, password = view.person, fields.get("password")
    if not isinstance(password, str) or not password:
        return None
    if caller.user_id is None or caller.session is None:
        return view.t("signing.token")
    refused = check_password(pool, caller.name, password[:1000], at=view.now, request_id=caller.request_id)
    if refused is None:
        return Signature(caller.user_id, caller.full_name, read_text(fields, "meaning", 500))
    return say_unsigned(view, refused)


def take_step(
    view: View, pool: Pool, work: Callable[[Connection], object], typed: Typed, *, guards: str, entity: str, code: str
) -> Refused | None:
    """None when the step was taken; else why not, with the guard as a sentence, or who changed the record meanwhile."""
    try:
        change(pool, work)
    except GuardRefusedError as refused:
        return find_guarded(view, guards, refused.guard, typed)
    except RowVersionConflictError:
        said = f"{say_conflict(view, pool, entity, code)} {view.t('conflict.look')}"
        return Refused(said, 412, typed)
    return None


@dataclass(frozen=True, slots=True)
class RecordForms:
    """The forms on the pages of one kind of record; a step that is refused comes back there, with what was typed."""

    entity: str  # as the audit names it
    place: str  # its page is at that path and its code
    render: Callable[[View, Pool, str, Refused], Response]

    def take(
        self,
        view: View,
        pool: Pool,
        code: str,
        work: Callable[[Connection], object],
        typed: Typed,
        *,
        guards: str,
        merged: Merged | None = None,
    ) -> Response:
        """Takes the step and shows what became of it; where the sender has to choose first, nothing is written."""
        if merged is not None and merged.disputed:
            said = f"{say_conflict(view, pool, self.entity, code)} {view.t('conflict.choose')}"
            return self.render(view, pool, code, Refused(said, 412, replace(typed, disputed=merged.disputed)))
        refused = take_step(view, pool, work, typed, guards=guards, entity=self.entity, code=code)
        if refused is not None:
            return self.render(view, pool, code, refused)
        done = "merged" if merged is not None and merged.has_theirs else "saved"
        return RedirectResponse(view.link(f"{self.place}{code}", done=done), 303)


def find_signature_fields(view: View, typed: Typed, meaning: str) -> tuple[Field, ...]:
    """What every signed step asks for: what the signature means, and the password again."""
    fields = (
        Field("meaning", view.t("field.meaning"), "text", typed.values.get("meaning", meaning), limit=500),
        Field("password", view.t("field.password"), "password"),
    )
    return mark_fields(fields, typed.wrong)
