"""What the form of a root cause says, and which of its fields cannot be used."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from api.console.form_faults import Fault, Why, find_fault
from api.console.forms import read_text, read_whole
from api.shapes.capas import RootCauseFields
from domain.capa_cause import MAX_CAUSES, MAX_EVIDENCE, MAX_WHYS, EvidenceRef, RootCause

MOST_EVIDENCE = MAX_EVIDENCE * (1 + MAX_WHYS)  # of one cause and its whys, as the form shows them
# Of a field of the API, beginning with the problem or the causes, to that of the form.
Places = dict[tuple[str | int, ...], str]


def read_root_cause(fields: FormData) -> tuple[RootCause | None, dict[str, Why]]:
    """What the form says; or None and the fault of each field that cannot be used. A cause without a word is none."""
    causes: list[dict[str, Any]] = []
    places: Places = {}
    for number in range(MAX_CAUSES):
        if read_text(fields, f"c{number}-statement"):
            causes.append(_read_cause(fields, f"c{number}", ("causes", len(causes)), places))
    try:
        written = RootCauseFields.model_validate({"problem": read_text(fields, "problem"), "causes": causes})
    except ValidationError as error:
        return None, {_find_place(one["loc"], places): find_fault(one) for one in error.errors()}
    return written.to_root_cause(), {}


def _read_cause(fields: FormData, prefix: str, at: tuple[str | int, ...], places: Places) -> dict[str, Any]:
    whys: list[dict[str, Any]] = []
    kept: dict[int, int] = {}  # places in the form, where one may be left empty, to places in the chain
    places[at] = prefix
    for step in range(MAX_WHYS):
        text = read_text(fields, f"{prefix}-why{step}")
        if text:
            kept[step] = len(whys)
            whys.append({"statement": text, "evidence": []})
    evidence: list[dict[str, str]] = []
    for row in range(MOST_EVIDENCE):
        name = f"{prefix}-e{row}"
        ref = read_text(fields, f"{name}-ref", 200)
        if not ref:
            continue
        why = kept.get((read_whole(fields, f"{name}-at") or 0) - 1)
        told = evidence if why is None else whys[why]["evidence"]
        places[(*at, *(() if why is None else ("whys", why)), "evidence", len(told))] = name
        told.append({"kind": read_text(fields, f"{name}-kind"), "ref": ref, "note": read_text(fields, f"{name}-note")})
    words = {name: read_text(fields, f"{prefix}-{name}") for name in ("category", "verdict", "statement")}
    return {**words, "whys": whys, "evidence": evidence}


def _find_place(loc: tuple[str | int, ...], places: Places) -> str:
    """The field of the form: that of the cause or of the reference, and the last part of the path."""
    return f"{places[loc[:-1]]}-{loc[-1]}" if loc[:-1] in places else str(loc[0])


def find_unknown_places(fields: FormData, unknown: Iterable[EvidenceRef]) -> dict[str, Why]:
    """The fields that name a record which is not there."""
    missing = {(ref.kind.value, ref.ref) for ref in unknown}
    names = [f"c{number}-e{row}" for number in range(MAX_CAUSES) for row in range(MOST_EVIDENCE)]
    return {
        f"{name}-ref": Fault.NO_RECORD
        for name in names
        if (read_text(fields, f"{name}-kind"), read_text(fields, f"{name}-ref", 200)) in missing
    }
