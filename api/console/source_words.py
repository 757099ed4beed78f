"""Who or what wrote an entry of a device's history, as people call it."""

from collections.abc import Iterable, Mapping

from api.console.language import load_catalogue
from api.console.page import View
from store.pool import Connection
from store.users import load_full_names

_PERSON = "user"


def load_names_of(conn: Connection, sources: Iterable[str]) -> dict[str, str]:
    """The full names of the accounts that these sources name; sources that are masked name none."""
    told = (source.partition(":") for source in sources)
    return load_full_names(conn, {name for kind, _, name in told if kind == _PERSON and name})


def say_source(view: View, source: str, names: Mapping[str, str]) -> str:
    """The source in words; "" for the device itself, and no name where the reader may know none."""
    kind, _, name = source.partition(":")
    if source in ("", "device"):
        return ""
    if kind == _PERSON and name:
        return names.get(name, name)
    if f"history_source.{kind}" not in load_catalogue(view.language):
        return source
    said = view.name("history_source", kind)
    return view.t("history_source.of", source=said, name=name) if name else said
