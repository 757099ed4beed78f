"""What the documents promise is there: pages, headings, commands, make targets, and an example for every command."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from forewarn.cli import build_app

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
SHELL_FENCE = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^(?: {4}|\t)(.*)$", re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# The command at the start of a line of shell, behind a pipe, in $( ) or behind settings; then its words.
CALL = re.compile(r"(?:^|[|(;&]\s*|\s)(?:\S*/)?forewarn((?:[ |][a-z][a-z|-]*)*)(?=[^\w./@:=-]|$)")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")


def find_documents() -> list[Path]:
    """Every Markdown file of the repository that is ours: tracked or new, not vendored, not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.split("\n") if listed.returncode == 0 else ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    paths = {ROOT / name for name in names if name and "/vendor/" not in name} | set((ROOT / "docs").rglob("*.md"))
    return sorted(path for path in paths if path.exists())


DOCUMENTS = find_documents()
TEMPLATES = sorted((ROOT / "api" / "console" / "templates").glob("*.html"))
EACH_DOCUMENT = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def find_anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as Git hosting renders them."""
    anchors: dict[str, int] = {}
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        anchors[anchor] = anchors.get(anchor, -1) + 1
    return {anchor if i == 0 else f"{anchor}-{i}" for anchor, count in anchors.items() for i in range(count + 1)}


def find_calls(text: str) -> Iterator[list[str]]:
    """The words behind `forewarn` wherever a document calls it as a command; `a|b` stands for either."""
    shell = [*SHELL_FENCE.findall(text), *INDENTED.findall(FENCE.sub("", text))]
    for line in "\n".join(shell).splitlines():
        yield from (words.split() for words in CALL.findall(line.split(" # ")[0]))
    for span in SPAN.findall(FENCE.sub("", text)):
        if re.match(r"(?:\S*/)?forewarn\s", span):
            yield from (words.split() for words in CALL.findall(span))


def find_commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path; a group as well as what it holds."""
    yield path, command
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from find_commands(inner, (*path, name))


COMMANDS = dict(find_commands(typer.main.get_command(build_app())))
LEAVES = [path for path, command in COMMANDS.items() if not isinstance(command, TyperGroup)]


def find_unknown(words: list[str]) -> str | None:
    """The first word that no command has at its place; None where the whole call can be made."""
    path: tuple[str, ...] = ()
    for word in words:
        if not isinstance(COMMANDS[path], TyperGroup):
            return None  # what follows are arguments
        choices = word.split("|")
        missing = next((choice for choice in choices if (*path, choice) not in COMMANDS), None)
        if missing is not None:
            return " ".join(("forewarn", *path, missing))
        path = (*path, choices[0])
    return None


def test_the_tree_of_commands_and_documents_is_seen() -> None:
    assert ("devices", "import") in COMMANDS
    assert ROOT / "README.md" in DOCUMENTS
    assert len(DOCUMENTS) > 10


@EACH_DOCUMENT
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    broken = []
    for link in LINK.findall(SPAN.sub("", FENCE.sub("", text))):
        if re.match(r"[a-z][a-z+.-]*:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists():
            broken.append(link)
        elif anchor and target.suffix == ".md" and anchor not in find_anchors(target.read_text(encoding="utf-8")):
            broken.append(f"{link} (no such heading)")
    assert broken == []


@EACH_DOCUMENT
def test_every_command_that_is_named_exists(document: Path) -> None:
    unknown = [found for words in find_calls(document.read_text(encoding="utf-8")) if (found := find_unknown(words))]
    assert unknown == []


@EACH_DOCUMENT
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    code = [*SPAN.findall(FENCE.sub("", text)), *SHELL_FENCE.findall(text), *INDENTED.findall(FENCE.sub("", text))]
    named = {name for piece in code if piece.startswith("make ") for name in TARGET.findall(piece)}
    assert named - targets == set()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_command_that_the_console_names_exists(template: Path) -> None:
    calls = CALL.findall(re.sub(r"<[^>]*>", "\n", template.read_text(encoding="utf-8")))
    assert [found for words in calls if (found := find_unknown(words.split()))] == []


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_an_example_of_itself(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    shown = f"{command.help or ''}\n{command.epilog or ''}"
    examples = [words.split() for words in CALL.findall(shown.replace("`", " ; "))]
    assert any(tuple(words[: len(path)]) == path for words in examples), shown


@pytest.mark.parametrize(
    ("call", "unknown"),
    [
        ("forewarn devices retire SN-1", "forewarn devices retire"),
        ("x | .venv/bin/forewarn devices import -", None),
        ("TOKEN=$(.venv/bin/forewarn tokens make --name x)", "forewarn tokens make"),
        ("FOREWARN_HTTP_PORT=8080 forewarn demo", None),
        ("forewarn ingest|anomalies", "forewarn anomalies"),
        ("docker compose run --rm api forewarn sing", "forewarn sing"),
    ],
)
def test_an_unknown_command_is_seen(call: str, unknown: str | None) -> None:
    found = [find_unknown(words) for words in find_calls(f"Text\n\n```sh\n{call}\n```\n")]
    assert found == [unknown]


def test_anchors_are_those_of_the_headings() -> None:
    page = "# A page\n\n## One sensor, `two`\n\n```sh\n# no heading\n```\n\n## Again\n\n## Again\n"
    assert find_anchors(page) == {"a-page", "one-sensor-two", "again", "again-1"}
