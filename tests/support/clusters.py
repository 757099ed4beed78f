"""Data folders of PostgreSQL for the tests: initialised once in each process, and copied for each server."""

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from forewarn.embedded_postgres import Cluster, prepare_cluster


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that every user may walk through: as root, PostgreSQL runs under another account."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
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


@cache
def _prepare_original() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="forewarn-cluster-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    prepare_cluster(folder)
    return folder
