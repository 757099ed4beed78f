"""Data folders of PostgreSQL for the tests: initialised once in each process, and copied for each server."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

from forewarn.embedded_postgres import Cluster, prepare_cluster, start_server

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
        yield folder


def copy_cluster(var: Path) -> Cluster:
    """What `prepare_cluster` makes below the empty folder `var`, without the second that it takes to initialise."""
    original = _prepare_original()
    # Where a link leads to the data (a folder closed to PostgreSQL's account), a copy would share them.
    if not (original / "postgres").is_symlink():
        for part in original.iterdir():
            subprocess.run(["cp", "-Rp", str(part), str(var)], check=True, timeout=60)
    return prepare_cluster(var)


def start_quick_server(cluster: Cluster, log: Path) -> subprocess.Popen[bytes]:
    """A server that outlives any kill of its processes, but not a power cut: nobody pulls the plug of a test."""
    return start_server(cluster, log, fsync="off", full_page_writes="off", max_connections="300", max_wal_size="256MB")


@cache
def find_place() -> Path | None:
    """Where data of tests go: a file system in memory with room to spare; None means the usual folder."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and psutil.virtual_memory().available > MEMORY_LEFT:
        return MEMORY if shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY else None
    return None


@cache
def _prepare_original() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="forewarn-cluster-", dir=find_place()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    prepare_cluster(folder)
    return folder
