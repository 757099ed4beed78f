"""One constructor for each sentence of the audit: nobody else builds an entry."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("accounts", "anomaly", "api", "domain", "forewarn", "ingest", "service_link", "simulators", "store")


def find_sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def find_nodes(word: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node of every source that holds the word."""
    for name, text in find_sources():
        if word in text:
            for node in ast.walk(ast.parse(text)):
                yield name, node


def is_building(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name == "AuditEntry"


def test_only_the_sentences_of_the_audit_build_entries() -> None:
    built = [(name, getattr(node, "lineno", 0)) for name, node in find_nodes("AuditEntry") if is_building(node)]
    assert len(built) > 40
    strays = [f"{name}:{line}" for name, line in built if not name.startswith("domain/audit_")]
    assert strays == [], "give the sentence a function in domain/audit_<noun>.py"


def test_nobody_gets_around_it_by_another_name() -> None:
    strays = []
    for name, node in find_nodes("AuditEntry"):
        if isinstance(node, ast.ImportFrom) and any(a.name == "AuditEntry" and a.asname for a in node.names):
            strays.append(name)
        if isinstance(node, ast.Call) and any(isinstance(a, ast.Name) and a.id == "AuditEntry" for a in node.args):
            strays.append(name)  # partial(AuditEntry, ...), map(AuditEntry, ...)
    assert strays == []


def test_nobody_writes_into_the_chain_but_the_audit_itself() -> None:
    writers = {
        name
        for name, node in find_nodes("audit_event")
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "insert into audit_event" in " ".join(node.value.lower().split())
    }
    assert writers == {"store/audit.py"}


def test_every_sentence_says_what_it_means() -> None:
    for path in sorted((ROOT / "domain").glob("audit_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith(("_", "find_")):
                where = f"{path.name}: {node.name}"
                assert node.returns is not None, where
                assert "AuditEntry" in ast.unparse(node.returns), where
                assert ast.get_docstring(node), where
