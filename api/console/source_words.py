"""Who or what wrote an entry of a device's history, as people call it."""

from api.console.language import load_catalogue
from api.console.page import View

_PERSON = "user"


def say_source(view: View, source: str) -> str:
    """The source in words; "" for the device itself, and no name where the reader may know none."""
    kind, _, name = source.partition(":")
    if source in ("", "device"):
        return ""
    if kind == _PERSON and name:
        return view.who(name)
    if f"history_source.{kind}" not in load_catalogue(view.language):
        return source
    said = view.name("history_source", kind)
    return view.t("history_source.of", source=said, name=name) if name else said
