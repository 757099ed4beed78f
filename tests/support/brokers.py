"""Real MQTT brokers for the tests: the product's embedded one, and Mosquitto as production runs it."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from forewarn.child_process import end, spawn
from forewarn.embedded_broker import spawn_broker, write_configuration
from tests.support.services import find_free_port, find_program, is_listening
from tests.support.waiting import wait_until

MOSQUITTO_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
queue_qos0_messages true
persistence true
persistence_location {folder}/
autosave_interval 1
log_type error
log_type warning
user {user}
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that listens on 127.0.0.1, without accounts."""

    name: str  # "embedded" or "mosquitto"
    port: int

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"


class MosquittoProcess:
    """A Mosquitto that a test may kill and start again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        self.program = find_program("mosquitto", package="mosquitto")
        self.port = find_free_port()
        self.log = folder / "mosquitto.log"
        self.configuration = folder / "mosquitto.conf"
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.configuration.write_text(MOSQUITTO_CONFIGURATION.format(port=self.port, folder=folder, user=user))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def broker(self) -> Broker:
        return Broker("mosquitto", self.port)

    def start(self) -> None:
        """Listens on return."""
        process = spawn([self.program, "-c", self.configuration], log=self.log)
        self.process = process
        wait_until(lambda: is_listening(self.port) or process.poll() is not None, what="Mosquitto to listen")
        assert process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        """Ended in order: its persistent sessions are on disk."""
        if self.process is not None:
            end(self.process, with_signal=SIGTERM, timeout_s=60)

    def kill(self) -> None:
        """SIGKILL: what was not saved is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def forget(self) -> None:
        """Sessions and retained messages are gone; to be called while it is stopped."""
        (self.configuration.parent / "mosquitto.db").unlink(missing_ok=True)


@contextmanager
def embedded_broker() -> Iterator[Broker]:
    """The product's embedded broker on a free port."""
    with tempfile.TemporaryDirectory(prefix="forewarn-broker-") as name:
        folder = Path(name)
        port = find_free_port()
        write_configuration(folder / "broker.toml", port=port, buffer_mib=64)
        process = spawn_broker(folder / "broker.toml", folder / "broker.log")
        try:
            wait_until(lambda: is_listening(port) or process.poll() is not None, what="the broker to listen")
            assert process.poll() is None, (folder / "broker.log").read_text()
            yield Broker("embedded", port)
        finally:
            end(process, with_signal=SIGTERM, timeout_s=60)


@contextmanager
def mosquitto_broker() -> Iterator[MosquittoProcess]:
    """A Mosquitto of one test with unlimited windows and queues, and persistence."""
    with tempfile.TemporaryDirectory(prefix="forewarn-mosquitto-") as name:
        mosquitto = MosquittoProcess(Path(name))
        mosquitto.start()
        try:
            yield mosquitto
        finally:
            mosquitto.stop()
