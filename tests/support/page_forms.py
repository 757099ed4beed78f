"""Forms of pages as a browser would send them: what stands in each field when nobody has typed."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.found = False
        self._action = action
        self._is_in = False
        self._open = ""  # the text area or the list of choices that is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._is_in = given.get("action") == self._action
            self.found = self.found or self._is_in
        name = given.get("name") or ""
        if not self._is_in:
            return
        if tag == "input" and name and given.get("type") not in ("radio", "checkbox", "password"):
            self.fields[name] = given.get("value") or ""
        elif tag in ("textarea", "select") and name:
            self._open = name
            self.fields[name] = ""
        elif tag == "option" and (self.fields.get(self._open) == "" or "selected" in given):
            self.fields[self._open] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in = False
        if tag in ("textarea", "select"):
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._is_in and self.lasttag == "textarea" and self._open:
            self.fields[self._open] += data


def read_form(page: str, action: str) -> dict[str, str]:
    """The fields of the form that is sent to that address."""
    reader = _Reader(action)
    reader.feed(page)
    assert reader.found, f"the page has no form for {action}"
    return reader.fields
