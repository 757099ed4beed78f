"""What a machine offers to the tests, and what is said when something is missing."""

import os
import shutil
import socket
from pathlib import Path

import pytest


def is_ci() -> bool:
    """CI promises every service; a missing one there is a failure, never a skip."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def miss(reason: str) -> None:
    """Fails in CI, skips with `reason` elsewhere."""
    if is_ci():
        pytest.fail(f"{reason} (CI must have it)", pytrace=False)
    pytest.skip(reason)


def find_program(name: str, *, package: str) -> Path:
    """The path of an installed program, also where it lies outside of an ordinary user's PATH."""
    found = shutil.which(
        name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )
    if found is None:
        miss(f"{name} is not installed: `apt-get install {package}` or the like")
        raise AssertionError
    return Path(found)


def find_free_port() -> int:
    """A port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Something accepts connections on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True
