"""Views that people saved, as callers see and send them."""

from datetime import datetime

from pydantic import Field

from api.shapes.pages import Sent, Shape
from domain.saved_view import LONGEST_NAME, LONGEST_QUERY, ViewPage


class ViewShape(Shape):
    """One view of the caller's."""

    id: int
    page: ViewPage = Field(description="The list that it is a view of.")
    name: str = Field(examples=["Night shift"])
    query: str = Field(description="What stands behind the question mark of the address.", examples=["priority=P1"])
    is_default: bool = Field(description="The list opens with it when nothing else is asked for.")
    address: str = Field(description="The list as the view shows it.", examples=["/inbox?priority=P1"])
    named_address: str = Field(description="Leads its owner there by the view's name.")
    row_version: int
    updated_at: datetime


class NewView(Sent):
    """A view to keep."""

    page: ViewPage
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    query: str = Field("", max_length=LONGEST_QUERY, description="Fields that the list does not know are left out.")
    is_default: bool = False


class ViewChange(Sent):
    """What changes of a view; what is not sent, or null, stays."""

    name: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)
    query: str | None = Field(None, max_length=LONGEST_QUERY)
    is_default: bool | None = None
