"""One constructor for each sentence of the audit: nobody else builds an entry."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("accounts", "anomaly", "api", "domain", "forewarn", "ingest", "service_link", "simulators", "store")


def find_sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def is_building(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name == "AuditEntry"


def is_constructors(path: Path) -> bool:
    return path.parent.name == "domain" and path.name.startswith("audit_")


def test_only_the_sentences_of_the_audit_build_entries() -> None:
    seen = 0
    strays = []
    for path in find_sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if is_building(node):
                seen += 1
                if not is_constructors(path):
                    strays.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}")
    assert seen > 40
    assert strays == [], "give the sentence a function in domain/audit_<noun>.py"


def test_nobody_gets_around_it_by_another_name() -> None:
    strays = []
    for path in find_sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and any(a.name == "AuditEntry" and a.asname for a in node.names):
                strays.append(str(path.relative_to(ROOT)))
            if isinstance(node, ast.Call) and any(isinstance(a, ast.Name) and a.id == "AuditEntry" for a in node.args):
                strays.append(str(path.relative_to(ROOT)))  # partial(AuditEntry, ...), map(AuditEntry, ...)
    assert strays == []


def test_nobody_writes_into_the_chain_but_the_audit_itself() -> None:
    writers = [
        str(path.relative_to(ROOT))
        for path in find_sources()
        if any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "insert into audit_event" in " ".join(node.value.lower().split())
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    assert writers == ["store/audit.py"]


def test_every_sentence_returns_an_entry_says_what_it_means_and_names_its_action() -> None:
    for path in sorted((ROOT / "domain").glob("audit_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                where = f"{path.name}: {node.name}"
                assert node.returns is not None, where
                assert ast.unparse(node.returns) == "AuditEntry", where
                assert ast.get_docstring(node), where
