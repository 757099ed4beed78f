"""`forewarn up` as one process tree: whatever happens to its top, nobody is left, and the next start goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from forewarn.embedded_postgres import APP, load_cluster
from store.pool import open_connection
from tests.support.clusters import temporary_folder
from tests.support.services import find_free_port
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died"),
]
READY_S = 120.0


@dataclass(slots=True)
class Installation:
    """One installation that a test starts, stops and kills."""

    folder: Path
    http_port: int = field(default_factory=find_free_port)
    mqtt_port: int = field(default_factory=find_free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> list[psutil.Process]:
        """Started and welcoming; returns all of its processes below the supervisor."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FOREWARN_")} | {
            "FOREWARN_VAR": str(self.folder / "var"),
            "FOREWARN_HTTP_PORT": str(self.http_port),
            "FOREWARN_MQTT_PORT": str(self.mqtt_port),
        }
        log = self.folder / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "forewarn", "up"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.process = process
        wait_until(
            lambda: "first reading" in log.read_text() or "own:" in log.read_text() or process.poll() is not None,
            what="the welcome",
            timeout_s=READY_S,
        )
        assert process.poll() is None, log.read_text()
        return psutil.Process(process.pid).children(recursive=True)


@pytest.fixture
def installation() -> Iterator[Installation]:
    with temporary_folder("forewarn-up-") as folder:
        made = Installation(folder)
        yield made
        if made.process is not None and made.process.poll() is None:
            family = psutil.Process(made.process.pid).children(recursive=True)
            made.process.kill()
            made.process.wait()
            wait_until(lambda: not alive(family), what="its children to hear of it and leave the folder")


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if is_alive(p)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


@pytest.mark.timeout(400)
def test_a_killed_supervisor_takes_all_with_it_and_the_next_start_goes_on(installation: Installation) -> None:
    family = installation.start()
    assert len(family) >= 6, "database, broker and four programs"
    cluster = load_cluster(installation.folder / "var")
    assert cluster is not None
    with open_connection(cluster.url(APP), application="test", autocommit=True) as conn:
        conn.execute("INSERT INTO customer (code, name, type) VALUES ('C-1', 'One', 'HOSPITAL')")
    assert installation.process is not None
    installation.process.send_signal(signal.SIGKILL)
    installation.process.wait()
    wait_until(lambda: not alive(family), what=f"the end of {family}")

    family = installation.start()
    with open_connection(cluster.url(APP), application="test", autocommit=True) as conn:
        assert conn.execute("SELECT name FROM customer").fetchone() == ("One",)
    installation.process.send_signal(signal.SIGTERM)
    assert installation.process.wait(120) == 0
    assert alive(family) == []
