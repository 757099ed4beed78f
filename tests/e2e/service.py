"""The API with its console as a real process on a free port, over a seeded database."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.seeding import Seeded, seed
from tests.support.databases import Database
from tests.support.programs import Program
from tests.support.services import find_free_port
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Service:
    """A running console: where it answers, its database, and what it was seeded with."""

    url: str
    database: Database
    seeded: Seeded
    program: Program


@contextmanager
def running_api(folder: Path, database: Database) -> Iterator[tuple[str, Program]]:
    """The API's address and process; its log's end is part of a failure."""
    folder.mkdir(parents=True, exist_ok=True)
    port = find_free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")} | {
        "FOREWARN_VAR": str(folder / "var"),
        "FOREWARN_DATABASE_URL": database.url,
        "FOREWARN_HTTP_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    program = Program("api", environment, folder / "api.log")
    program.start()
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(
            lambda: _answers(f"{url}/sign-in") or not program.is_running, what="the console to answer", every_s=0.1
        )
        assert program.is_running, "the API has ended"
        yield url, program
    except BaseException as problem:
        problem.add_note(program.read_log())
        raise
    finally:
        program.stop()


@contextmanager
def running_service(folder: Path, database: Database) -> Iterator[Service]:
    """The console over a service with something to decide."""
    seeded = seed(database.owner_url)
    with running_api(folder, database) as (url, program):
        yield Service(url, database, seeded, program)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
