"""Starts programs in order, keeps them running, and leaves none behind.

Every child lives in a session of its own, so a Ctrl-C reaches the supervisor alone and the children are stopped in
order: last started, first stopped. A supervisor that is killed takes its children with it (see `child_process`).
"""

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from domain.errors import ForewarnError
from forewarn.child_process import end

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
PROVEN_AFTER_S = 60.0  # a child that has run this long starts with a clean record
POLL_S = 0.1
LOG_TAIL_LINES = 12
LOG_LIMIT_BYTES = 20_000_000
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ChildFailedError(ForewarnError):
    """A program could not be started."""


class StopRequestedError(ForewarnError):
    """The start was called off."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one child is started, when it counts as ready, and how it is stopped."""

    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 15.0
    ready_timeout_s: float = 60.0


@dataclass(slots=True)
class Child:
    """A plan in execution."""

    plan: Plan
    process: subprocess.Popen[bytes]
    started: float  # monotonic seconds
    failures: int = 0
    restart_at: float | None = None


def find_backoff_s(failures: int) -> float:
    """Seconds before the next start after that many failures in a row (1 or more): doubling, with an upper bound."""
    return min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 16))


class Supervisor:
    """Use it from the main thread: `start` each plan, `watch`, and `stop_all` in a `finally`."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._children: list[Child] = []
        self._signals = 0

    @property
    def stop_requested(self) -> bool:
        """Ctrl-C or a termination signal came."""
        return self._signals > 0

    def listen_for_signals(self) -> None:
        """From now on Ctrl-C, SIGTERM and a closed terminal ask for an orderly stop; a second one makes it quick."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._count_signal)

    def start(self, plan: Plan) -> None:
        """The child is running and ready on return.

        Raises
        ------
        ChildFailedError
            It ended or was not ready in time; the message holds the end of its log.
        StopRequestedError
            A stop was asked for in the meantime.
        """
        rotate_log(plan.log)
        child = Child(plan, plan.spawn(), time.monotonic())
        self._children.append(child)
        deadline = child.started + plan.ready_timeout_s
        while not plan.is_ready():
            if self.stop_requested:
                raise StopRequestedError()
            code = child.process.poll()
            if code is not None:
                raise ChildFailedError(f"{plan.name} {describe_end(code)}.\n{read_tail(plan.log)}")
            if time.monotonic() > deadline:
                raise ChildFailedError(
                    f"{plan.name} was not ready within {plan.ready_timeout_s:g} s.\n{read_tail(plan.log)}"
                )
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Returns when a stop is asked for; until then a child that ends is started again, at growing intervals."""
        while not self.stop_requested:
            for child in self._children:
                self._mend(child)
            time.sleep(POLL_S)

    def stop_all(self) -> None:
        """No child is left on return: each was asked to stop, last started first, and killed if it did not in time."""
        while self._children:
            child = self._children.pop()
            patience = 0.0 if self._signals > 1 else child.plan.stop_timeout_s
            if child.process.poll() is None:
                self._report(f"stopping {child.plan.name}")
            if not end(child.process, with_signal=child.plan.stop_signal, timeout_s=patience):
                self._report(f"{child.plan.name} did not stop within {patience:g} s and was killed")

    def _mend(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is not None:
            if now >= child.restart_at:
                child.process, child.started, child.restart_at = child.plan.spawn(), now, None
                self._report(f"{child.plan.name} is started again")
            return
        code = child.process.poll()
        if code is None:
            return
        end(child.process, with_signal=child.plan.stop_signal, timeout_s=0)  # what it may have left in its group
        child.failures = 1 if now - child.started > PROVEN_AFTER_S else child.failures + 1
        pause = find_backoff_s(child.failures)
        child.restart_at = now + pause
        self._report(
            f"{child.plan.name} {describe_end(code)}; next start in {pause:g} s. "
            f"The end of {child.plan.log}:\n{read_tail(child.plan.log)}"
        )

    def _count_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1


def describe_end(code: int) -> str:
    """A sentence's end about an exit code of `subprocess`: negative means a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def read_tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, each marked with the log's name; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(f"  {log.stem} | {line}" for line in text.splitlines()[-lines:])


def rotate_log(log: Path) -> None:
    """A log that has grown beyond LOG_LIMIT_BYTES is set aside as NAME.log.1; one older generation is kept."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
