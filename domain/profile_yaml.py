"""The YAML of a profile file as nodes with line and column: bounded, without aliases, tags or duplicate keys.

Nodes instead of `yaml.safe_load`, because a problem without its line is of little help in a file of 400 lines, and
because `safe_load` silently keeps the last of two equal keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent, ScalarEvent

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 12
MAX_EVENTS = 40_000


@dataclass(frozen=True, slots=True)
class ProfileProblem:
    """One thing wrong with a profile file; line and column count from 1."""

    source: str
    line: int
    column: int
    field: str  # e.g. "monitors[3].raise_at"; empty: the file as a whole
    reason: str

    def __str__(self) -> str:
        """`file:line:column: field: reason`, as editors and CI systems take it."""
        where = f"{self.source}:{self.line}:{self.column}"
        return f"{where}: {self.field}: {self.reason}" if self.field else f"{where}: {self.reason}"


def compose_document(text: str, source: str) -> yaml.MappingNode | list[ProfileProblem]:
    """The one mapping that the text is, or what forbids to read it as such; never more work than the bounds allow."""
    if len(text) > MAX_CHARACTERS:
        return [ProfileProblem(source, 1, 1, "", f"the file has more than {MAX_CHARACTERS} characters")]
    try:
        # PyYAML's parser is iterative and its composer recursive: the bounds are checked on the parser's events first.
        problems = list(_find_forbidden(text, source))
        if problems:
            return problems
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        context = error.context
        if context and error.context_mark:
            context = f"{context} that begins in line {error.context_mark.line + 1}"
        reason = ", ".join(part for part in (context, error.problem) if part)
        return [ProfileProblem(source, line, column, "", f"not YAML: {reason}")]
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = error.position - (before.rfind("\n") + 1) + 1
        return [ProfileProblem(source, line, column, "", f"a character that YAML does not allow: {error.reason}")]
    if not isinstance(root, yaml.MappingNode):
        return [ProfileProblem(source, 1, 1, "", "a profile is a mapping that starts with `model:`")]
    return root


def _find_forbidden(text: str, source: str) -> Iterator[ProfileProblem]:
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if count >= MAX_EVENTS:
            yield ProfileProblem(source, line, column, "", f"more than {MAX_EVENTS} elements")
            return
        if depth > MAX_DEPTH:
            yield ProfileProblem(source, line, column, "", f"nested deeper than {MAX_DEPTH} levels")
            return
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                yield ProfileProblem(source, line, column, "", "a second document: one file holds one profile")
                return
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            yield ProfileProblem(source, line, column, "", "anchors and aliases are not allowed in a profile")
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            yield ProfileProblem(source, line, column, "", f"the tag {event.tag} is not allowed in a profile")
