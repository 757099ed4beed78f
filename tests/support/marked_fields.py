"""The fields of a page that are marked as wrong, and what is said of each, as a program that reads aloud finds it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "use", "wbr"}


@dataclass(slots=True)
class Control:
    """One marked field of the page."""

    name: str
    reasons: list[str]  # ids
    has_focus: bool
    is_shown: bool


@dataclass
class _Reader(HTMLParser):
    controls: list[Control] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    focused: list[str] = field(default_factory=list)  # names, of all that ask for the focus; of a notice its role
    notices: int = 0
    open_tags: list[tuple[str, str, bool]] = field(default_factory=list)  # (tag, id, whether it hides what is inside)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        is_shown = not any(hides for _, _, hides in self.open_tags)
        if "autofocus" in given and is_shown:
            self.focused.append(given.get("name") or given.get("role", ""))
        self.notices += given.get("role") == "alert"
        if given.get("aria-invalid") == "true":
            reasons = given.get("aria-describedby", "").split()
            self.controls.append(Control(given["name"], reasons, "autofocus" in given, is_shown))
        if tag not in VOID:
            hides = (tag == "details" and "open" not in given) or tag == "dialog"
            self.open_tags.append((tag, given.get("id", ""), hides))

    def handle_endtag(self, tag: str) -> None:
        while self.open_tags and self.open_tags.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name, _ in self.open_tags:
            if name:
                self.texts[name] = self.texts.get(name, "") + data


NOTICE = "alert"  # where nothing of a form is wrong, whoever sent it lands at the sentence that says why


def find_landing(page: str) -> str:
    """The name of the field in which the reader of a refused form lands, or `NOTICE`; "" of a page that refused none.

    Raises
    ------
    AssertionError
        The reader lands nowhere or in several places, in a field that cannot be seen, or in one that is not wrong while
        another is.
    """
    reader = _Reader()
    reader.feed(page)
    if not reader.controls and not reader.notices:
        return ""
    assert len(reader.focused) == 1, f"the reader lands in {reader.focused or 'nothing'}"
    if reader.controls:
        first = reader.controls[0]
        assert first.is_shown, f"{first.name} is hidden"
        assert reader.focused == [first.name]
    return reader.focused[0]


def find_marks(page: str) -> dict[str, str]:
    """Field -> the reason beside it; each is told of one, stands open before its reader, and the first has the focus;
    without any the sentence has it that says why.

    Raises
    ------
    AssertionError
        A marked field has no reason or cannot be seen, or the reader lands elsewhere.
    """
    reader = _Reader()
    reader.feed(page)
    found: dict[str, str] = {}
    for one in reader.controls:
        wrong = [reader.texts.get(reason, "").strip() for reason in one.reasons if reason.endswith("-wrong")]
        assert len(wrong) == 1, f"{one.name} has not one reason: {wrong}"
        assert wrong[0], f"{one.name} has no reason"
        assert one.is_shown, f"{one.name} is hidden"
        found[one.name] = wrong[0]
    if reader.controls:
        assert [one.has_focus for one in reader.controls] == [True] + [False] * (len(reader.controls) - 1)
    find_landing(page)
    return found
