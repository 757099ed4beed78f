"""Templates of checklists."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.shapes.pages import Sent, Shape
from api.shapes.work_order_records import ItemShape, Short, Text
from domain.checklist import TemplateKind

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class TemplateContent(Sent):
    """What a template says."""

    title: dict[Literal["en", "zh"], Short] = Field(examples=[{"en": "Repair of a pump", "zh": "泵维修"}])
    items: list[ItemShape]
    is_active: bool = Field(True, description="Orders get it; one template is in use for a kind and device model.")
    reason: Text = ""


class NewTemplate(TemplateContent):
    """A template that is made."""

    code: Code
    kind: TemplateKind
    model: Short | None = Field(None, description="Key of the device model; null: all that have none of their own.")


class TemplateShape(Shape):
    """A template in one of its versions."""

    code: str
    kind: TemplateKind
    model: str | None
    is_active: bool
    version: int
    title: dict[str, str]
    items: list[ItemShape]
    sha256: str
    made_by: str
    made_at: datetime
    reason: str
    row_version: int


class TemplateVersions(Shape):
    """Every version, the newest first."""

    items: list[TemplateShape]
