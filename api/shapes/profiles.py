"""Versions of device models' profiles, and what differs between two."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.shapes.pages import Sent, Shape
from api.shapes.sla_previews import DifferenceShape


class ProfileVersionShape(Shape):
    """One version that was applied."""

    version: int
    is_current: bool
    sha256: str
    applied_by: str | None = Field(description="A person, or `bundled`, or `cli`; null: hidden from your roles.")
    applied_at: datetime
    reason: str
    decision: str | None = Field(description="The threshold (TP-…) or the draft (MOD-…) that it came of.")


class ProfileVersions(Shape):
    """Every version, the newest first."""

    items: list[ProfileVersionShape]


class ProfileDifferences(Shape):
    """What differs between two versions of a profile."""

    before: int
    after: int
    items: list[DifferenceShape]


class ProfileReturn(Sent):
    """Why an earlier version shall count again."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
