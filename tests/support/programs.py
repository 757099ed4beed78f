"""The programs of an installation as real processes that a test may kill and start again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from forewarn.child_process import end, spawn

COMMAND = Path(sys.executable).with_name("forewarn")
PIPELINE = ("ingest", "anomaly", "service-link")
LOG_TAIL_BYTES = 6_000
CLEAN_EXIT_CODES = (0, -SIGTERM)


@dataclass(slots=True)
class Program:
    """One program of ours. Start it from the main thread: its life is tied to the thread that forked."""

    name: str  # as on the command line: ingest, anomaly, service-link, api
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0
    restart_at: float | None = None
    unexpected: list[str] = field(default_factory=list)

    def start(self) -> None:
        """The process exists on return; it may still be importing."""
        self.process = spawn([COMMAND, self.name], log=self.log, env=self.environment)
        self.restart_at = None

    def kill(self) -> None:
        """SIGKILL, as a power cut or the kernel's memory killer does it; `mend` starts it again after a moment."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(SIGKILL)
        self.process.wait()
        self.kills += 1
        self.restart_at = time.monotonic() + 0.3

    def mend(self) -> None:
        """What the supervisor does: a program that is gone is started again. An end that nobody caused is noted."""
        if self.process is None:
            return
        code = self.process.poll()
        if code is not None and self.restart_at is None:
            self.unexpected.append(f"{self.name} ended by itself with {code}")
            self.restart_at = time.monotonic() + 0.3
        if self.restart_at is not None and time.monotonic() >= self.restart_at:
            self.start()

    def ask_to_stop(self) -> None:
        """SIGTERM without waiting, so that several may end at the same time."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(SIGTERM)

    def stop(self, timeout_s: float = 20.0) -> bool:
        """SIGTERM and wait; False if it had to be killed."""
        if self.process is None:
            return True
        return end(self.process, with_signal=SIGTERM, timeout_s=timeout_s)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP: its connections stay open and are taken, and nothing answers."""
        assert self.process is not None
        self.process.send_signal(SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(SIGCONT)

    @property
    def is_running(self) -> bool:
        """The process exists now."""
        return self.process is not None and self.process.poll() is None

    def read_log(self) -> str:
        """The end of its log, for the message of a failed test."""
        if not self.log.exists():
            return f"--- {self.name}: no log"
        data = self.log.read_bytes()[-LOG_TAIL_BYTES:]
        return f"--- the end of {self.name}'s log\n{data.decode('utf-8', 'replace')}"


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one installation, by name."""

    by_name: dict[str, Program]

    def __getitem__(self, name: str) -> Program:
        return self.by_name[name]

    def mend(self) -> None:
        """Starts whatever is gone."""
        for program in self.by_name.values():
            program.mend()

    def assert_running(self) -> None:
        """Fails the test with the program's log when one has ended."""
        for program in self.by_name.values():
            assert program.is_running, f"{program.name} has ended\n{program.read_log()}"

    def read_logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(program.read_log() for program in self.by_name.values())


@contextmanager
def running_programs(
    folder: Path,
    *,
    database_url: str,
    mqtt_url: str,
    names: tuple[str, ...] = PIPELINE,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Programs]:
    """These programs against that database and broker, each with its log in `folder`; all gone at the end.

    `settings` are further environment variables. When the test fails, their logs' ends are part of the failure.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")} | {
        "FOREWARN_VAR": str(folder / "var"),
        "FOREWARN_DATABASE_URL": database_url,
        "FOREWARN_MQTT_URL": mqtt_url,
        "PYTHONUNBUFFERED": "1",
        **(settings or {}),
    }
    programs = Programs({name: Program(name, environment, folder / f"{name}.log") for name in names})
    try:
        for program in programs.by_name.values():
            program.start()
        yield programs
    except BaseException as problem:
        problem.add_note(programs.read_logs())
        raise
    finally:
        for program in programs.by_name.values():
            program.ask_to_stop()
        for program in programs.by_name.values():
            program.stop()
