"""Styles and what they are for: no rule that nothing uses, no class that means nothing, every file in the bundle."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import api.console
from api.console.language import load_catalogue
from api.console.static_files import BUNDLES, STATIC_FOLDER
from domain.tickets import Priority

CONSOLE = Path(api.console.__file__).parent
STYLES = sorted((STATIC_FOLDER / "style").glob("*.css"))
# An attribute may hold quotes within what the template puts into it.
ATTRIBUTE = r"""="((?:[^"{]|\{\{.*?\}\}|\{%.*?%\}|\{)*)\""""


def read_all(folder: Path, pattern: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(folder.glob(pattern)))


def find_selectors() -> str:
    """The styles without what stands in braces and comments; a rule for a medium stays with the rules in it."""
    text = re.sub(r"/\*.*?\*/", "", read_all(STATIC_FOLDER, "style/*.css"), flags=re.DOTALL)
    return re.sub(r"\{[^{}]*\}", " ", text)


TEMPLATES = read_all(CONSOLE, "templates/**/*.html")
SCRIPTS = read_all(STATIC_FOLDER, "*.js")
WORDS = r"[A-Za-z][\w-]*"


def find_values(attribute: str) -> list[str]:
    return re.findall(rf"\b{attribute}{ATTRIBUTE}", TEMPLATES)


def find_quoted(text: str) -> set[str]:
    """All words of all texts in quotes."""
    return {word for quoted in re.findall(r"""["'`]([^"'`\n]*)["'`]""", text) for word in re.findall(WORDS, quoted)}


def is_made(name: str, values: Iterable[str]) -> bool:
    """Whether an attribute ends in something that a template puts in, behind the beginning of that name."""
    beginnings = {begun for value in values for begun in re.findall(r"([\w-]+-)\{\{", value)}
    return any(name.startswith(begun) for begun in beginnings)


def test_every_class_of_a_rule_is_used() -> None:
    values = find_values("class")
    known = set(re.findall(WORDS, " ".join(values))) | find_quoted(SCRIPTS)
    # What a template writes as {{ it }}: the kind of a clock, a priority in small letters, the picture of an address.
    texts = re.findall(rf'"({WORDS})"', read_all(CONSOLE, "*.py") + read_all(CONSOLE.parent, "totp.py"))
    known |= set(texts) | {priority.lower() for priority in Priority}
    drawn = find_quoted(read_all(STATIC_FOLDER, "vendor/uplot*.js"))
    used = set(re.findall(rf"\.({WORDS})", find_selectors()))
    assert len(used) > 150
    assert sorted(n for n in used if n not in known | drawn and not is_made(n, values)) == []


def test_every_id_of_a_rule_is_there() -> None:
    values = find_values("id")
    acts = {f"act-{key.removeprefix('act.')}" for key in load_catalogue("en") if key.startswith("act.")}
    used = set(re.findall(rf"#({WORDS})", find_selectors()))
    assert len(used) > 5
    assert sorted(used - set(values) - acts) == []


def test_every_class_of_a_template_has_a_rule_or_is_for_a_script() -> None:
    values = find_values("class")
    # Without what is put in, and what that is a part of.
    plain = " ".join(re.sub(r"[\w-]*\{\{.*?\}\}[\w-]*|\{%.*?%\}", " ", value) for value in values)
    known = set(re.findall(rf"\.({WORDS})", find_selectors())) | set(re.findall(rf"\.({WORDS})", SCRIPTS))
    assert sorted(set(plain.split()) - known) == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_every_file_is_in_the_bundle_and_whole(path: Path) -> None:
    assert f"style/{path.name}" in BUNDLES["console.css"]
    text = path.read_text("utf-8")
    assert text.count("{") == text.count("}")
    assert len(text.splitlines()) < 300


def test_a_language_changes_distances_and_breaks_alone() -> None:
    """The tests of all pages look at contrasts in one language."""
    text = re.sub(r"/\*.*?\*/", "", read_all(STATIC_FOLDER, "style/*.css"), flags=re.DOTALL)
    bodies = re.findall(r":lang\([^{}]*\{([^{}]*)\}", text)
    assert len(bodies) >= 4
    changed = {declaration.partition(":")[0].strip() for body in bodies for declaration in body.split(";")} - {""}
    assert changed <= {"--leading", "line-height", "min-width", "word-break"}
