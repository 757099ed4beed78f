"""`forewarn` as a person runs it."""

import os
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from forewarn.cli import main
from tests.support.command_line import Answer, Run
from tests.support.databases import Database


@pytest.fixture
def forewarn(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs `forewarn` as a person would, on a fresh database; in this process, which saves its start."""
    for name in [name for name in os.environ if name.startswith("FOREWARN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FOREWARN_DATABASE_URL", database.url)
    monkeypatch.setenv("FOREWARN_DATABASE_OWNER_URL", database.owner_url)
    monkeypatch.setenv("FOREWARN_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, stdin: str = "", **environment: str) -> Answer:
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["forewarn", *arguments])
            patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin.encode())))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            captured = capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run
