"""The command line is put together from the modules that a call needs, and from no others."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from forewarn.cli import GROUPS, MODULES, build_app, main
from forewarn.program_settings import PROGRAMS

HEAVY = ("sklearn", "scipy", "anomaly", "service_link", "api", "accounts", "simulators", "rich.progress")
SHOW_IMPORTS = """
import sys
from forewarn.cli import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""


def find_words(app: object) -> set[str]:
    return set(getattr(app, "commands", {}))


def test_every_command_is_found_by_its_word_alone() -> None:
    assert find_words(get_command(build_app())) == {*MODULES, *GROUPS}
    assert [word for word in (*MODULES, *GROUPS) if word not in find_words(get_command(build_app([word])))] == []


def test_every_command_has_its_word() -> None:
    folder = Path(sys.modules["forewarn.cli"].__file__ or "").with_name("commands")
    files = {path.stem for path in folder.glob("*.py") if "typer.Typer" in path.read_text()}
    assert files - {*MODULES.values(), *GROUPS.values()} == {"device_accounts"}  # part of `forewarn devices`
    assert set(PROGRAMS) <= set(MODULES)


def test_a_program_brings_along_nothing_of_other_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTS, "ingest", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    imported = set(done.stderr.split())
    assert "forewarn.commands.programs" in imported
    assert sorted(imported & set(HEAVY)) == []


def test_programs_start_without_training_and_its_libraries() -> None:
    show = "import sys, anomaly.program, api.app, service_link.program; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, timeout=60, check=True)
    imported = set(done.stdout.split())
    assert "anomaly.bank" in imported
    assert sorted(imported & {"sklearn", "scipy", "anomaly.rul", "anomaly.backtest", "anomaly.training.jobs"}) == []


@pytest.mark.parametrize("word", ["", "-h", "nothing-of-ours"])
def test_what_is_no_command_meets_them_all(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["forewarn", *([word] if word else [])])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = "".join(capsys.readouterr())
    assert ended.value.code == (0 if word == "-h" else 2)
    assert word == "nothing-of-ours" or all(each in shown for each in (*MODULES, *GROUPS))
