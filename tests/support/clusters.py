"""Data folders of PostgreSQL for the tests: initialised and migrated once in a run, and copied for each server."""

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

from forewarn.child_process import end
from forewarn.embedded_postgres import OWNER, STOP_SIGNAL, Cluster, prepare_cluster, start_server
from store.migrate import migrate
from tests.support.held_folders import PREFIX, hold, remove_abandoned

# Names the folder of originals that the processes of a run have in common.
ORIGINALS_VARIABLE = "FOREWARN_TEST_ORIGINALS"

GIB = 1 << 30
MEMORY = Path("/dev/shm")
# A run holds less than two: four servers with a few databases each, and what they write ahead.
ROOM_IN_MEMORY = 3 * GIB
MEMORY_LEFT = 6 * GIB


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder for data, in memory where there is plenty; every user may walk through it.

    As root, PostgreSQL runs under another account. A database is hundreds of small files, made and removed for each
    test: on a disk with other work that takes most of the time of many tests.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=find_place(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        held = hold(folder)
        try:
            yield folder
        finally:
            os.close(held)


def copy_cluster(var: Path) -> Cluster:
    """What `prepare_cluster` makes below the empty folder `var`, without the second that it takes to initialise."""
    _copy(_make_once("initialised", prepare_cluster), var)
    return prepare_cluster(var)


def copy_migrated_cluster(var: Path) -> Cluster:
    """The same, and its database is migrated: with all of the migrations that takes as long again."""
    original = _make_once("migrated", _initialise_and_migrate)
    if not _copy(original, var):
        _initialise_and_migrate(var)
    return prepare_cluster(var)


def start_quick_server(cluster: Cluster, log: Path) -> subprocess.Popen[bytes]:
    """A server that outlives any kill of its processes, but not a power cut: nobody pulls the plug of a test."""
    return start_server(
        cluster,
        log,
        fsync="off",
        full_page_writes="off",
        max_connections="300",
        max_wal_size="256MB",
        shared_buffers="256MB",  # whoever drops a database looks through all of them
    )


@cache
def find_place() -> Path | None:
    """Where data of tests go: a file system in memory with room to spare; None means the usual folder."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and psutil.virtual_memory().available > MEMORY_LEFT:
        return MEMORY if shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY else None
    return None


def share_originals() -> Callable[[], None]:
    """Makes what this process and those that it starts initialise and migrate a common good; the returned function
    removes it."""
    folder, held = _make_folder()
    os.environ[ORIGINALS_VARIABLE] = str(folder)

    def remove() -> None:
        shutil.rmtree(os.environ.pop(ORIGINALS_VARIABLE), ignore_errors=True)
        os.close(held)

    return remove


def remove_folders_of_the_dead() -> None:
    """What runs that were killed left behind, gigabytes of it in memory, is gone."""
    for place in {MEMORY, Path(tempfile.gettempdir())}:
        remove_abandoned(place)


@cache
def _find_originals() -> Path:
    shared = os.environ.get(ORIGINALS_VARIABLE)
    if shared is not None:
        return Path(shared)
    folder, _ = _make_folder()  # held to our end
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _make_folder() -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}originals-", dir=find_place()))
    folder.chmod(0o711)
    return folder, hold(folder)


@cache
def _make_once(name: str, fill: Callable[[Path], object]) -> Path:
    """A folder that the first process to want it fills, while others that want it wait."""
    whole, partial = _find_originals() / name, _find_originals() / f"{name}.partial"
    with (_find_originals() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            # What a process that died over it left is no beginning.
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            partial.chmod(0o711)
            fill(partial)
            partial.rename(whole)
    return whole


def _initialise_and_migrate(var: Path) -> None:
    cluster, log = copy_cluster(var), var / "migrating.log"
    process = start_quick_server(cluster, log)
    try:
        migrate(cluster.url(OWNER))
    finally:
        end(process, with_signal=STOP_SIGNAL, timeout_s=60)
    log.unlink()


def _copy(original: Path, var: Path) -> bool:
    """False where a link leads to the data (a folder closed to PostgreSQL's account): a copy would share them."""
    if (original / "postgres").is_symlink():
        return False
    for part in original.iterdir():
        subprocess.run(["cp", "-Rp", str(part), str(var)], check=True, timeout=60)
    return True
