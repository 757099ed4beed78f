"""Views that people save: the query of a list's address under a name. A view gives no right to anything."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl, quote, urlencode

MOST_VIEWS = 40  # of one list
LONGEST_NAME = 40
LONGEST_QUERY = 2000


class ViewPage(StrEnum):
    """A list that has views. Values are parts of addresses and never change."""

    INBOX = "inbox"
    WORK_ORDERS = "work-orders"

    @property
    def path(self) -> str:
        """Where the list is."""
        return f"/{self.value}"


# What the addresses of each list hold, in the order in which it stands there.
FIELDS: dict[ViewPage, tuple[str, ...]] = {
    ViewPage.INBOX: (
        "priority", "fault", "model", "firmware", "customer", "region", "owner", "data", "sort", "group",
    ),
    ViewPage.WORK_ORDERS: ("state", "priority", "owner", "sort"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SavedView:
    """One view of one account."""

    id: int
    page: ViewPage
    name: str
    query: str
    is_default: bool
    row_version: int
    updated_at: datetime

    @property
    def address(self) -> str:
        """The list as this view shows it. A view of everything says so: the bare address opens the default view."""
        return f"{self.page.path}?{self.query or 'view=all'}"

    @property
    def named_address(self) -> str:
        """The address that goes by the view's name, and leads its owner to what the view is then."""
        return f"{self.page.path}/views/{quote(self.name, safe='')}"


def clean_name(text: str) -> str:
    """The name with single blanks, or "" where it is none: empty, too long, or with signs that nobody sees."""
    name = " ".join(text.split())
    return name if 0 < len(name) <= LONGEST_NAME and name.isprintable() else ""


def clean_query(page: ViewPage, text: str) -> str:
    """What of this query the list knows, each field once and in the same order whoever wrote it."""
    given: dict[str, str] = {}
    for field, value in parse_qsl(text.removeprefix("?")[: 4 * LONGEST_QUERY]):
        if value.strip() and value.isprintable() and len(value) <= 200:
            given.setdefault(field, value)
    kept: dict[str, str] = {}
    for field in FIELDS[page]:
        if field in given and len(urlencode({**kept, field: given[field]})) <= LONGEST_QUERY:
            kept[field] = given[field]
    return urlencode(kept)
