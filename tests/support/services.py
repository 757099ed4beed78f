"""What a machine offers to the tests, and what is said when something is missing."""

import fcntl
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest


def is_ci() -> bool:
    """CI promises every service; a missing one there is a failure, never a skip."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def miss(reason: str) -> NoReturn:
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
    return Path(found)


# Below the ports that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere). One of those could
# be taken between its choice and its use, also while a server that is to come back on it is away; and a client that
# tries to connect to it meanwhile may, by chance, get it for its own end and be connected to itself.
PORTS = range(12_000, 32_000)
_CHANCE = random.SystemRandom()  # what Hypothesis seeds would give every worker the same ports


def find_free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on and that no other test gets while this process lives."""
    folder = Path(tempfile.gettempdir(), f"forewarn-test-ports-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        port = _CHANCE.choice(PORTS)
        reservation = os.open(folder / str(port), os.O_CREAT | os.O_WRONLY, 0o600)  # open, and locked, to our end
        try:
            fcntl.flock(reservation, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(reservation)
        else:
            return port


def is_listening(port: int) -> bool:
    """Something accepts connections on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def find_chromium() -> str | None:
    """The path of an installed Chromium, or None. The shell is the same engine without the windows that nobody sees:
    it takes half of the work."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)
