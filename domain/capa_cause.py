"""The root cause of a CAPA: candidate causes after Ishikawa, each with its chain of whys and its evidence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Five is the custom; with fewer than three one is still at the symptom.
MIN_WHYS = 3
MAX_WHYS = 10
MAX_CAUSES = 30
MAX_EVIDENCE = 50  # of one cause, and of each why


class CauseCategory(StrEnum):
    """The six bones of Ishikawa's diagram. Values stand in the database and never change."""

    MACHINE = "MACHINE"
    METHOD = "METHOD"
    MATERIAL = "MATERIAL"
    MEASUREMENT = "MEASUREMENT"
    PEOPLE = "PEOPLE"
    ENVIRONMENT = "ENVIRONMENT"


class CauseVerdict(StrEnum):
    """What the investigation made of a candidate."""

    CANDIDATE = "CANDIDATE"
    RULED_OUT = "RULED_OUT"
    CONTRIBUTING = "CONTRIBUTING"
    ROOT = "ROOT"


class EvidenceKind(StrEnum):
    """What a reference points to; all but DOCUMENT are records of this system and must exist."""

    WORK_ORDER = "WORK_ORDER"
    BREACH = "BREACH"
    DEVICE = "DEVICE"
    CAPA = "CAPA"
    FIELD_ACTION = "FIELD_ACTION"
    DOCUMENT = "DOCUMENT"


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    """One thing that shows it: the code, serial or id of a record, or the number of a document kept elsewhere."""

    kind: EvidenceKind
    ref: str
    note: str = ""

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind.value, "ref": self.ref, "note": self.note}

    @staticmethod
    def from_json(value: Any) -> "EvidenceRef":
        return EvidenceRef(EvidenceKind(value["kind"]), value["ref"], value["note"])


@dataclass(frozen=True, slots=True)
class Why:
    """One answer of the chain: why is what stands before it so?"""

    statement: str
    evidence: tuple[EvidenceRef, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"statement": self.statement, "evidence": [ref.to_json() for ref in self.evidence]}


@dataclass(frozen=True, slots=True)
class Cause:
    """A candidate cause; `whys` in the order in which they were asked."""

    category: CauseCategory
    verdict: CauseVerdict
    statement: str
    whys: tuple[Why, ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def is_proved(self) -> bool:
        """Something shows it: at the cause or at one of its whys."""
        return bool(self.evidence) or any(why.evidence for why in self.whys)

    def to_json(self) -> dict[str, Any]:
        return {
            "category": self.category.value,
            "verdict": self.verdict.value,
            "statement": self.statement,
            "whys": [why.to_json() for why in self.whys],
            "evidence": [ref.to_json() for ref in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class RootCause:
    """The investigation as it is written: the problem in one's own words, and every cause that was looked at."""

    problem: str = ""
    causes: tuple[Cause, ...] = ()

    @property
    def roots(self) -> tuple[Cause, ...]:
        return tuple(cause for cause in self.causes if cause.verdict is CauseVerdict.ROOT)

    @property
    def evidence(self) -> tuple[EvidenceRef, ...]:
        """All references, those of the whys too."""
        of_whys = (ref for cause in self.causes for why in cause.whys for ref in why.evidence)
        return (*(ref for cause in self.causes for ref in cause.evidence), *of_whys)

    def to_json(self) -> dict[str, Any]:
        return {"problem": self.problem, "causes": [cause.to_json() for cause in self.causes]}


def count_short_chains(roots: Sequence[Cause]) -> int:
    """How many of the root causes were not asked deep enough."""
    return sum(len(cause.whys) < MIN_WHYS for cause in roots)
