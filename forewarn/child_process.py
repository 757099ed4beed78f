"""Child processes that cannot outlive their parent and never see its Ctrl-C."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system user that a child runs as."""

    name: str
    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    hold_stdin: bool = False,
) -> subprocess.Popen[bytes]:
    """A child in a session of its own that gets `death_signal` from the kernel when the calling thread's process dies.

    Its output goes straight to the file `log` (appended), so nothing is lost and nothing blocks when the parent is
    killed. `hold_stdin` keeps a pipe open as its standard input, for programs that end themselves when it closes.
    Call it from the main thread: Linux ties the death signal to the thread that forked. Elsewhere than on Linux a
    SIGKILLed parent leaves its children running; the next start of the same installation ends them.
    """
    output = log.open("ab") if log is not None else None
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if hold_stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=dict(env) if env is not None else None,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_death_watch(death_signal),
        )
    finally:
        if output is not None:
            output.close()


def end(process: subprocess.Popen[bytes], *, with_signal: signal.Signals, timeout_s: float) -> bool:
    """The child and everything in its process group is gone on return; False if it had to be killed."""
    in_time = True
    if process.poll() is None:
        process.send_signal(with_signal)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            in_time = False
    # An empty group is what is hoped for; of a group of zombies macOS says "not permitted".
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    return in_time


def _death_watch(death_signal: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    libc, parent, number = _LIBC, os.getpid(), int(death_signal)

    def ask_for_death_signal() -> None:
        # After the fork, so no locks. The parent may have died before the request reached the kernel.
        libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_death_signal
