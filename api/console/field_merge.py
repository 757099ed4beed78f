"""Two people in one form: what each changed is put together, and where both changed one field the person chooses.

A form carries what it was made from, as one short mark for each field: no more is needed to know who changed what.
Nothing of another person's is written over unless somebody who saw it said so.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import FormData

from api.console.acts import Act, Field

SEEN = "seen"  # the field with the marks
TAKE = "take."  # before a field's name: whose text is taken, `mine` or `theirs`
_DISPUTED = "!"  # before the mark of a field that waits for the choice


@dataclass(frozen=True, slots=True)
class Merged:
    """The form as it is to be written; `disputed` holds what others wrote, by field, where nobody has chosen yet."""

    fields: FormData
    disputed: Mapping[str, str]
    has_theirs: bool  # something of another person's is in it that the sender has not seen


def clean(text: str) -> str:
    """The text as it is compared: browsers send other line ends than were stored, and blanks around it say nothing."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def make_mark(text: str) -> str:
    """The short mark of a text; two texts that say the same have the same."""
    return hashlib.sha256(clean(text).encode(errors="replace")).hexdigest()[:12]


def mark_seen(stands: Mapping[str, str], disputed: Mapping[str, str] | None = None) -> str:
    """What a form is made from, for its hidden field."""
    waits = disputed or {}
    return urlencode({name: (_DISPUTED if name in waits else "") + make_mark(text) for name, text in stands.items()})


def merge_fields(fields: FormData, stands: Mapping[str, str]) -> Merged:
    """The form with what others changed meanwhile; without marks that can be read as it was sent, and without them."""
    seen = read_seen(fields)
    if not seen:
        return Merged(leave_out(fields, SEEN), {}, False)
    values, disputed = {}, {}
    has_theirs = False
    for name, base in seen.items():
        mine, theirs = fields.get(name), stands.get(name)
        if not isinstance(mine, str) or theirs is None or clean(mine) == clean(theirs):
            continue
        was, changed_by_them = base.removeprefix(_DISPUTED), make_mark(theirs) != base.removeprefix(_DISPUTED)
        is_choice = base.startswith(_DISPUTED) and not changed_by_them
        choice = fields.get(f"{TAKE}{name}")
        if is_choice and choice == "theirs":
            values[name] = theirs
        elif is_choice and choice == "mine":
            continue
        elif base.startswith(_DISPUTED) or (changed_by_them and make_mark(mine) != was):
            disputed[name] = theirs
        elif changed_by_them:
            values[name], has_theirs = theirs, True
    known = {name: stands[name] for name in seen if name in stands}
    return Merged(write_fields(fields, values | {SEEN: mark_seen(known, disputed)}), disputed, has_theirs)


def merge_units(
    seen: str, mine: Mapping[int, str], stands: Sequence[str], chosen: Mapping[int, str]
) -> tuple[dict[int, str], dict[int, str], bool]:
    """The same of a list, whose places move: texts by place, what others wrote where both changed one, whether there is
    something of theirs. Whatever stands keeps its place; what the sender added comes behind it.

    What somebody took out and another changed stays: nobody's writing is lost by another's deleting.
    """
    marks = [mark.removeprefix(_DISPUTED) for mark in seen.split(".") if mark]
    waits = {place for place, mark in enumerate(seen.split(".")) if mark.startswith(_DISPUTED)}
    now = [make_mark(text) for text in stands]
    place_of: dict[int, int] = {}  # where a text that the sender saw stands now
    for kind, first, last, begin, end in SequenceMatcher(None, marks, now, autojunk=False).get_opcodes():
        if kind in ("equal", "replace"):
            place_of |= dict(zip(range(first, last), range(begin, end), strict=False))
    merged, disputed = dict(enumerate(stands)), {}
    added = [text for place, text in sorted(mine.items()) if place >= len(marks) and clean(text)]
    for place, mark in enumerate(marks):
        text, at = mine.get(place, ""), place_of.get(place)
        is_mine = make_mark(text) != mark
        if at is None:
            if is_mine and clean(text):
                added.append(text)
            continue
        is_theirs = now[at] != mark
        if place in waits and not is_theirs:
            if chosen.get(place) == "mine":
                merged[at] = text
            elif chosen.get(place) != "theirs" and clean(text) != clean(stands[at]):
                merged[at], disputed[at] = text, stands[at]
        elif is_mine and is_theirs and clean(text) != clean(stands[at]):
            merged[at], disputed[at] = text, stands[at]
        elif is_mine and not is_theirs:
            merged[at] = text
    known = {make_mark(text) for text in stands}
    for number, text in enumerate(text for text in added if make_mark(text) not in known):
        merged[len(stands) + number] = text
    return merged, disputed, now != marks


def mark_units(stands: Sequence[str], disputed: Mapping[int, str]) -> str:
    """What a form with a list is made from."""
    return ".".join((_DISPUTED if place in disputed else "") + make_mark(text) for place, text in enumerate(stands))


def read_seen(fields: FormData) -> dict[str, str]:
    """The marks of a form by field; none where it carries none that can be read."""
    text = fields.get(SEEN)
    try:
        return dict(parse_qsl(text[:20_000], max_num_fields=500)) if isinstance(text, str) and text else {}
    except ValueError:  # there are too many
        return {}


def leave_out(fields: FormData, gone: str) -> FormData:
    """The form without that field."""
    return FormData([(name, value) for name, value in fields.multi_items() if name != gone])


def write_fields(fields: FormData, values: Mapping[str, str]) -> FormData:
    """The form with these values in place of its own."""
    kept = [(name, value) for name, value in fields.multi_items() if name not in values]
    return FormData([*kept, *values.items()])


def add_marks(act: Act, stands: Mapping[str, str], typed: Mapping[str, str], disputed: Mapping[str, str]) -> Act:
    """The form with what it is made from, and with the choice at each field that waits for one."""
    names = [field.name for field in act.fields if field.name in stands]
    seen = typed.get(SEEN) or mark_seen({name: stands[name] for name in names})
    fields = tuple(_dispute(field, disputed) for field in act.fields)
    return replace(act, fields=fields, hidden=(*act.hidden, (SEEN, seen)))


def _dispute(field: Field, disputed: Mapping[str, str]) -> Field:
    if field.name not in disputed:
        return field
    theirs = disputed[field.name]
    return replace(field, theirs=dict(field.options).get(theirs, theirs), is_disputed=True)
