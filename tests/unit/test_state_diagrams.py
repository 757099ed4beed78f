"""The diagrams of docs/reference/service/states.md show the steps that there are, with the rights that they take."""

import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "service" / "states.md"
DIAGRAM = re.compile(r"^<!-- (domain\.\w+):(\w+) -->\n```mermaid\nstateDiagram-v2\n(.*?)^```", re.MULTILINE | re.DOTALL)
EDGE = re.compile(r"^    ([A-Z_]+) --> ([A-Z_]+)(?:: (.+))?$", re.MULTILINE)
DIAGRAMS = DIAGRAM.findall(PAGE.read_text(encoding="utf-8"))
Edges = dict[tuple[str, str], str]


def find_steps(table: Mapping[Any, Any]) -> Edges:
    """Every step with its rights as the page says them; a table of next states names no rights."""
    steps: Edges = {}
    for key, value in table.items():
        if isinstance(key, tuple):
            rights = (value,) if isinstance(value, str) else tuple(value)
            steps[str(key[0]), str(key[1])] = " or ".join(rights) or "by itself"
        else:
            steps |= {(str(key), str(to)): "" for to in value}
    return steps


def test_the_page_has_a_diagram_for_each_table_of_steps() -> None:
    assert len(DIAGRAMS) >= 9
    assert len({(module, name) for module, name, _ in DIAGRAMS}) == len(DIAGRAMS)


@pytest.mark.parametrize(("module", "name", "drawn"), DIAGRAMS, ids=[module for module, _, _ in DIAGRAMS])
def test_a_diagram_shows_the_steps_of_its_table(module: str, name: str, drawn: str) -> None:
    edges: Edges = {(source, to): label for source, to, label in EDGE.findall(drawn)}
    assert edges == find_steps(getattr(import_module(module), name))
