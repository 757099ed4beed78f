"""Two people in one investigation: its problem is one field, each cause with whys and evidence one piece of writing."""

import json
import re
from collections.abc import Mapping

from starlette.datastructures import FormData

from api.console.field_merge import (
    SEEN,
    TAKE,
    Merged,
    leave_out,
    mark_seen,
    mark_units,
    merge_fields,
    merge_units,
    read_seen,
    write_fields,
)

CAUSES_SEEN = "seen_causes"
_PLACE = re.compile(r"c(\d{1,3})-(.+)")
_EVIDENCE = re.compile(r"e(\d{1,2})-(kind|ref|note|at)")


def mark_investigation(values: Mapping[str, str]) -> dict[str, str]:
    """The hidden fields of a form that was made from these values."""
    texts = find_causes(values)
    return {SEEN: mark_seen({"problem": values.get("problem", "")}), CAUSES_SEEN: mark_units(list(texts.values()), {})}


def merge_investigation(fields: FormData, stands: Mapping[str, str]) -> Merged:
    """The form with the causes that others wrote, changed or took out meanwhile; `stands` as the form would show it."""
    if not isinstance(fields.get(CAUSES_SEEN), str) or not read_seen(fields):
        return Merged(leave_out(fields, CAUSES_SEEN), {}, False)
    problem = merge_fields(fields, {"problem": stands.get("problem", "")})
    sent = {name: value for name, value in problem.fields.items() if isinstance(value, str)}
    theirs = list(find_causes(stands).values())
    chosen = {
        int(name.removeprefix(f"{TAKE}c")): value
        for name, value in sent.items()
        if re.fullmatch(r"take\.c\d{1,3}", name)
    }
    merged, disputed, has_theirs = merge_units(sent[CAUSES_SEEN][:20_000], find_causes(sent), theirs, chosen)
    kept = FormData(
        [
            (name, value)
            for name, value in problem.fields.multi_items()
            if not _PLACE.fullmatch(name) and not name.startswith(TAKE)
        ]
    )
    written = {CAUSES_SEEN: mark_units(theirs, disputed)}
    for place, text in merged.items():
        written |= {f"c{place}-{name}": value for name, value in json.loads(text).items()} if text else {}
    told = {f"c{place}": tell_cause(text) for place, text in disputed.items()}
    return Merged(write_fields(kept, written), {**problem.disputed, **told}, problem.has_theirs or has_theirs)


def find_causes(values: Mapping[str, str]) -> dict[int, str]:
    """Each cause of a form by its place, as one text, the same whoever sent it; a cause without a word is none."""
    found: dict[int, dict[str, str]] = {}
    for name, value in values.items():
        match = _PLACE.fullmatch(name)
        if match is not None and value.strip():
            found.setdefault(int(match[1]), {})[match[2]] = "\n".join(value.strip().splitlines())
    return {place: _write(cause) for place, cause in sorted(found.items()) if cause.get("statement")}


def _write(cause: Mapping[str, str]) -> str:
    rows = {match[1] for name in cause if (match := _EVIDENCE.fullmatch(name)) is not None and match[2] == "ref"}
    kept = {
        name: value for name, value in cause.items() if (match := _EVIDENCE.fullmatch(name)) is None or match[1] in rows
    }
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def tell_cause(text: str) -> str:
    """A cause as it is read: the statement, its whys and what shows them."""
    cause: dict[str, str] = json.loads(text)
    whys = [value for name, value in sorted(cause.items()) if name.startswith("why")]
    refs = [value for name, value in sorted(cause.items()) if name.endswith("-ref")]
    return "\n".join([cause["statement"], *whys, *refs])
