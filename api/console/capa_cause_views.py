"""The root cause of a CAPA on its page: the six bones with their causes, the whys, and the form that writes it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.console.capa_cause_form import MOST_EVIDENCE
from api.console.cause_merge import mark_investigation
from api.console.forms import Typed
from api.console.page import View
from domain.capa import CapaState
from domain.capa_cause import (
    MAX_CAUSES,
    MAX_WHYS,
    Cause,
    CauseCategory,
    CauseVerdict,
    EvidenceKind,
    EvidenceRef,
    RootCause,
)
from domain.roles import Permission
from store.capas import Capa

ACT = "root_cause"
PLACES = {
    EvidenceKind.WORK_ORDER: "/work-orders/",
    EvidenceKind.DEVICE: "/devices/",
    EvidenceKind.CAPA: "/capa/",
    EvidenceKind.FIELD_ACTION: "/field-actions/",
}
WHYS_SHOWN = 5  # the custom; beyond, one more than there are
NEW_EVIDENCE = 2


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One reference; `href` where it is a page of the console."""

    kind: str
    ref: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class WhyLine:
    """One answer of the chain, with what shows it."""

    statement: str
    evidence: list[EvidenceLine]


@dataclass(frozen=True, slots=True)
class CauseView:
    """One cause that was looked at."""

    verdict: str
    is_root: bool
    is_out: bool
    statement: str
    whys: list[WhyLine]
    evidence: list[EvidenceLine]


@dataclass(frozen=True, slots=True)
class Bone:
    """One category of Ishikawa with its causes."""

    name: str
    causes: list[CauseView]


def find_investigation(view: View, capa: Capa, root_cause: RootCause, typed: Typed) -> dict[str, Any]:
    """What was found out, and the form that writes it for whoever may write it now."""
    may_write = capa.state == CapaState.INVESTIGATION and view.may(Permission.CAPA_WORK)
    return {
        "problem": capa.problem,
        "bones": find_bones(view, root_cause),
        "chains": find_chains(view, root_cause),
        "is_reviewed": capa.investigated_round == capa.round,
        "form": find_cause_form(view, root_cause, typed.of(ACT)) if may_write else None,
    }


def find_bones(view: View, root_cause: RootCause) -> list[Bone]:
    """All six, also those that nobody has looked at: an empty bone is an answer too."""
    return [
        Bone(
            view.name("cause_category", category),
            [find_cause(view, cause) for cause in root_cause.causes if cause.category is category],
        )
        for category in CauseCategory
    ]


def find_chains(view: View, root_cause: RootCause) -> list[CauseView]:
    """The causes with something below them: root causes first, then what else was followed up."""
    told = [c for c in root_cause.causes if c.whys or c.evidence]
    return [find_cause(view, c) for c in sorted(told, key=lambda c: c.verdict is not CauseVerdict.ROOT)]


def find_cause(view: View, cause: Cause) -> CauseView:
    """The cause as it is shown."""
    return CauseView(
        verdict=view.name("cause_verdict", cause.verdict),
        is_root=cause.verdict is CauseVerdict.ROOT,
        is_out=cause.verdict is CauseVerdict.RULED_OUT,
        statement=cause.statement,
        whys=[WhyLine(why.statement, find_evidence_lines(view, why.evidence)) for why in cause.whys],
        evidence=find_evidence_lines(view, cause.evidence),
    )


def find_evidence_lines(view: View, refs: Iterable[EvidenceRef]) -> list[EvidenceLine]:
    """References as they are shown, with a link to what has a page."""
    return [
        EvidenceLine(
            view.name("evidence_kind", ref.kind),
            ref.ref,
            ref.note,
            PLACES[ref.kind] + ref.ref if ref.kind in PLACES else "",
        )
        for ref in refs
    ]


def find_cause_form(view: View, root_cause: RootCause, typed: Typed) -> dict[str, Any]:
    """The form: what stands there, or what was typed, with room for one more cause, why and reference."""
    stands = flatten_root_cause(root_cause)
    values: Mapping[str, str] = typed.values if typed.act else stands
    marks = mark_investigation(stands)
    numbers = [n for n in range(MAX_CAUSES) if values.get(f"c{n}-statement")]
    free = next((n for n in range(MAX_CAUSES) if n not in numbers), None)
    return {
        "problem": values.get("problem", ""),
        "causes": [_find_slot(n, values) for n in [*numbers, *([] if free is None else [free])]],
        "categories": [(c.value, view.name("cause_category", c)) for c in CauseCategory],
        "verdicts": [(v.value, view.name("cause_verdict", v)) for v in CauseVerdict],
        "kinds": [(k.value, view.name("evidence_kind", k)) for k in EvidenceKind],
        "wrong": defaultdict(str, typed.wrong),
        "is_open": bool(typed.act),
        "marks": {name: values.get(name) or mark for name, mark in marks.items()},
        "theirs": dict(typed.disputed),
    }


def _find_slot(number: int, values: Mapping[str, str]) -> dict[str, Any]:
    prefix = f"c{number}"
    asked = [step for step in range(MAX_WHYS) if values.get(f"{prefix}-why{step}")]
    steps = min(MAX_WHYS, max(WHYS_SHOWN, max(asked, default=-1) + 2))
    rows = [row for row in range(MOST_EVIDENCE) if values.get(f"{prefix}-e{row}-ref")]
    row_count = min(MOST_EVIDENCE, max(rows, default=-1) + 1 + NEW_EVIDENCE)
    return {
        "prefix": prefix,
        "category": values.get(f"{prefix}-category", ""),
        "verdict": values.get(f"{prefix}-verdict", CauseVerdict.CANDIDATE.value),
        "statement": values.get(f"{prefix}-statement", ""),
        "whys": [
            {"name": f"{prefix}-why{step}", "value": values.get(f"{prefix}-why{step}", "")} for step in range(steps)
        ],
        "evidence": [
            {
                "name": f"{prefix}-e{row}",
                "kind": values.get(f"{prefix}-e{row}-kind", ""),
                "ref": values.get(f"{prefix}-e{row}-ref", ""),
                "note": values.get(f"{prefix}-e{row}-note", ""),
                "at": values.get(f"{prefix}-e{row}-at", "0"),
            }
            for row in range(row_count)
        ],
        "is_new": not values.get(f"{prefix}-statement"),
    }


def flatten_root_cause(root_cause: RootCause) -> dict[str, str]:
    """The root cause as the fields of its form."""
    values = {"problem": root_cause.problem}
    for number, cause in enumerate(root_cause.causes):
        prefix = f"c{number}"
        values |= {
            f"{prefix}-category": cause.category.value,
            f"{prefix}-verdict": cause.verdict.value,
            f"{prefix}-statement": cause.statement,
        }
        values |= {f"{prefix}-why{step}": why.statement for step, why in enumerate(cause.whys)}
        told = [(0, ref) for ref in cause.evidence]
        told += [(step, ref) for step, why in enumerate(cause.whys, 1) for ref in why.evidence]
        for row, (at, ref) in enumerate(told):
            name = f"{prefix}-e{row}"
            values |= {
                f"{name}-kind": ref.kind.value,
                f"{name}-ref": ref.ref,
                f"{name}-note": ref.note,
                f"{name}-at": str(at),
            }
    return values
