"""The supervisor with real processes: order, restarts, and nobody left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from forewarn.child_process import spawn
from forewarn.supervisor import ChildFailedError, Plan, Supervisor, find_backoff_s, rotate_log
from tests.support.waiting import wait_until

STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(os.getpid(), flush=True); time.sleep(600)"
)
PATIENT = "import time; print('up', flush=True); time.sleep(600)"
WITH_GRANDCHILD = (
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print(p.pid, flush=True); time.sleep(600)"
)
SUPERVISED = """
import sys
from pathlib import Path
from forewarn.child_process import spawn
from forewarn.supervisor import Plan, Supervisor

folder = Path(sys.argv[1])
supervisor = Supervisor(lambda line: print(line, flush=True))

def plan_of(name):
    file, log = folder / name, folder / f"{name}.log"
    code = f"import os, pathlib as p, time; p.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(600)"
    return Plan(name, lambda: spawn([sys.executable, "-c", code], log=log),
                lambda: file.exists() and file.read_text() != "", log)

supervisor.listen_for_signals()
try:
    supervisor.start(plan_of("first"))
    supervisor.start(plan_of("second"))
    print("ready", flush=True)
    supervisor.watch()
finally:
    supervisor.stop_all()
"""


def plan_of(folder: Path, code: str, **more: object) -> Plan:
    log = folder / "child.log"
    return Plan(
        "child",
        lambda: spawn([sys.executable, "-c", code], log=log),
        lambda: log.exists() and log.stat().st_size > 0,
        log,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def supervisor(reports: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(reports.append)
    yield made
    made.stop_all()


def test_a_child_that_ends_at_once_is_a_failure_with_the_end_of_its_log(tmp_path: Path, supervisor: Supervisor) -> None:
    plan = Plan(
        "broken",
        lambda: spawn([sys.executable, "-c", "raise SystemExit('no such table')"], log=tmp_path / "broken.log"),
        lambda: False,
        tmp_path / "broken.log",
    )
    with pytest.raises(ChildFailedError, match=r"broken ended with exit code 1(?s:.*)broken \| no such table"):
        supervisor.start(plan)


def test_a_child_that_is_never_ready_is_a_failure(tmp_path: Path, supervisor: Supervisor) -> None:
    plan = Plan(
        "slow",
        lambda: spawn([sys.executable, "-c", PATIENT], log=tmp_path / "slow.log"),
        lambda: False,
        tmp_path / "slow.log",
        ready_timeout_s=0.3,
    )
    with pytest.raises(ChildFailedError, match=r"not ready within 0\.3 s"):
        supervisor.start(plan)


def test_a_deaf_child_is_killed_and_reported(tmp_path: Path, supervisor: Supervisor, reports: list[str]) -> None:
    supervisor.start(plan_of(tmp_path, STUBBORN, stop_timeout_s=0.3))
    child = psutil.Process(int((tmp_path / "child.log").read_text()))
    supervisor.stop_all()
    assert not child.is_running()
    assert any("did not stop within 0.3 s and was killed" in line for line in reports)


def test_what_a_child_started_goes_with_it(tmp_path: Path, supervisor: Supervisor) -> None:
    supervisor.start(plan_of(tmp_path, WITH_GRANDCHILD))
    grandchild = psutil.Process(int((tmp_path / "child.log").read_text()))
    supervisor.stop_all()
    wait_until(lambda: not grandchild.is_running(), what="the grandchild to end")


def test_a_crashed_child_is_started_again_and_a_stop_is_orderly(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        first = int((tmp_path / "first").read_text())
        second = int((tmp_path / "second").read_text())
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: (tmp_path / "first").read_text() not in ("", str(first)), what="the restart")
        assert int((tmp_path / "second").read_text()) == second, "the other child was left alone"
        pids = [int((tmp_path / name).read_text()) for name in ("first", "second")]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert process.returncode == 0
    assert "first was ended by SIGKILL; next start in 0.5 s" in rest
    assert rest.index("stopping second") < rest.index("stopping first")
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_no_child_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    orphans = [psutil.Process(int((tmp_path / name).read_text())) for name in ("first", "second")]
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not any(orphan.is_running() for orphan in orphans), what="the orphans to end")


def test_pauses_double_up_to_a_bound() -> None:
    assert [find_backoff_s(n) for n in (1, 2, 3, 7, 8, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 20_000_001)
    rotate_log(log)
    assert not log.exists()
    assert (tmp_path / "a.log.1").stat().st_size == 20_000_001
