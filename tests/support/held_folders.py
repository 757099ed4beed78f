"""Folders that belong to the process that made them, and are known to be nobody's once it is gone.

A run that is killed removes nothing, and what it had in memory stays there until the machine is switched off. So each
folder holds a file that its process keeps locked: the kernel lets go of it, however the process ends.
"""

import fcntl
import os
import shutil
from pathlib import Path

import psutil

PREFIX = "forewarn-"
_HELD = ".held"
_BEFORE = ".to-be-held"


def hold(folder: Path) -> int:
    """The folder is this process's until it closes the descriptor that is returned, or ends."""
    held = os.open(folder / _BEFORE, os.O_CREAT | os.O_WRONLY, 0o600)  # programs that we start do not inherit it
    fcntl.flock(held, fcntl.LOCK_EX)
    # Nobody ever sees the file under its name without its lock.
    (folder / _BEFORE).rename(folder / _HELD)
    return held


def remove_abandoned(place: Path) -> list[Path]:
    """Removes each folder there that our account's tests made and whose process is gone; returns them.

    What a living process holds, what was never held, what is another account's and what some program (a server that is
    just shutting down) still works in stays.
    """
    gone: list[Path] = []
    working: list[Path] | None = None
    for folder in sorted(place.glob(f"{PREFIX}*")):
        held = _take_over(folder)
        if held is None:
            continue
        try:
            working = _find_working_folders() if working is None else working
            if not any(one.is_relative_to(folder) for one in working):
                _remove(folder)
                gone.append(folder)
        finally:
            os.close(held)
    return gone


def _take_over(folder: Path) -> int | None:
    """The lock of a folder whose process is gone, else None."""
    try:
        if folder.is_symlink() or folder.lstat().st_uid != os.geteuid():
            return None
        held = os.open(folder / _HELD, os.O_WRONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _find_working_folders() -> list[Path]:
    found = []
    for process in psutil.process_iter():
        try:
            found.append(Path(process.cwd()))
        except (psutil.Error, OSError):
            continue
    return found


def _remove(folder: Path) -> None:
    """The file that says whose it was goes last: what is cut short is gone on with by the next run."""
    for part in folder.iterdir():
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        elif part.name != _HELD:
            part.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
