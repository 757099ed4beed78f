"""Files that are taken out, and the log of them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.shapes.pages import Sent, Shape

Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class ExportShape(Shape):
    """One file that somebody took out."""

    code: str = Field(examples=["EX-2026-000001"])
    at: datetime
    actor: str
    role: str
    permission: str
    list: str
    format: str
    filter: dict[str, Any]
    columns: tuple[str, ...]
    is_identifiable: bool = Field(description="Some of its columns name people.")
    row_count: int
    size_bytes: int
    sha256: str = Field(description="Of the bytes that were handed out.")
    reason: str
    approval_request: str | None = Field(description="By which a second person granted it.")
    request_id: str


class ExportListShape(Shape):
    """A list that can be taken out."""

    name: str = Field(examples=["work_orders"])
    permission: str = Field(description="Needed beside `export.take`.")
    columns: tuple[str, ...]
    personal_columns: tuple[str, ...] = Field(description="Those that name people: a second person must agree.")
    filters: dict[str, str] = Field(description="Name and what it takes: text, texts, instant or flag.")


class ExportLists(Shape):
    """What the caller may take out."""

    items: tuple[ExportListShape, ...]


class NewExport(Sent):
    """What is to be taken out."""

    list: Short = Field(min_length=1, examples=["work_orders"])
    format: Literal["csv", "json"] = "csv"
    filter: dict[str, bool | str | tuple[str, ...]] = Field(default_factory=dict, examples=[{"state": ["CLOSED"]}])
    columns: tuple[str, ...] | None = Field(
        None, max_length=100, description="null: all that name nobody.", examples=[["code", "state"]]
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    approval_request: Short | None = Field(None, description="Code of the granted request, where columns name people.")
