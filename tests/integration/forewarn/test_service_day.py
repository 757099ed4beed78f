"""`docs/tutorial/a-service-day.md` as it stands: its commands in order, in one shell, against what it starts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.clusters import temporary_folder
from tests.support.services import find_free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorial" / "a-service-day.md"
START = re.compile(r"^ {4}(FOREWARN_VAR=\S+ \.venv/bin/forewarn up)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?:```text\n(?P<prints>.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "\x1e"
DAY_S = 300.0  # of a machine that is busy with other tests; alone it takes a tenth of it


@dataclass(frozen=True, slots=True)
class Step:
    """One block of commands, and what the page says that it prints."""

    commands: str
    prints: str

    def find_difference(self, printed: str) -> str | None:
        """What was printed, where it is not what the page says; `…` stands for anything within a line."""
        pattern = "[^\n]*".join(re.escape(part) for part in self.prints.strip().split("…"))
        if re.fullmatch(pattern, printed.strip()):
            return None
        return f"{self.commands}\nprints\n{printed}\nnot\n{self.prints}"


def find_steps(page: str) -> list[Step]:
    """The blocks of shell commands in their order."""
    return [Step(found["commands"], found["prints"] or "") for found in BLOCK.finditer(page)]


@contextmanager
def started(command: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The page's own start command, until its welcome; at the end Ctrl-C, which leaves nobody behind."""
    log = folder / "up.log"
    with log.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_up() -> bool:
        assert shell.poll() is None, log.read_text()
        return "Sign in as admin" in log.read_text()

    children: list[psutil.Process] = []
    try:
        wait_until(is_up, timeout_s=DAY_S, what="the installation to start")
        children = psutil.Process(shell.pid).children(recursive=True)
        yield
    except BaseException as problem:
        ends = [f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in folder.glob("var/day/log/*")]
        problem.add_note("\n".join([*ends, log.read_text()]))
        raise
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGINT)
        _, alive = psutil.wait_procs([*children, psutil.Process(shell.pid)] if shell.poll() is None else children, 60)
        for process in alive:
            process.kill()
        shell.wait()
    assert alive == []


@pytest.mark.timeout(2 * DAY_S)
def test_the_service_day_does_what_its_page_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (start,), steps = START.findall(page), find_steps(page)
    assert len(steps) > 15
    with temporary_folder("forewarn-day-") as folder:
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "docs").symlink_to(ROOT / "docs")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")} | {
            "FOREWARN_HTTP_PORT": str(find_free_port()),
            "FOREWARN_MQTT_PORT": str(find_free_port()),
            "FOREWARN_SERVICE_LINK_PLAN_S": "1",
            "TMPDIR": str(folder),
        }
        script = "".join(f"printf '{MARK}'\n{step.commands}" for step in steps)
        with started(start, folder, environment):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=DAY_S,
            )
            printed = done.stdout.split(MARK)[1:]
            found = [step.find_difference(text) for step, text in zip(steps, printed, strict=False)]
            assert [difference for difference in found if difference is not None] == []
            assert done.returncode == 0
            assert len(printed) == len(steps)


@pytest.mark.parametrize(
    ("prints", "printed", "differs"),
    [("WO-…\nNEW\n", "WO-2026-000001\nNEW\n", False), ("NEW\n", "NEW\nCLOSED\n", True), ("", "a problem\n", True)],
)
def test_a_difference_from_the_page_is_seen(prints: str, printed: str, differs: bool) -> None:
    assert (Step("x", prints).find_difference(printed) is not None) is differs
