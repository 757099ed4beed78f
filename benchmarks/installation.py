"""A throw-away installation for a benchmark: embedded database and broker, and programs as processes of their own."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from psycopg.rows import dict_row

from forewarn.child_process import end, spawn
from forewarn.embedded_broker import spawn_broker, write_configuration
from forewarn.embedded_postgres import APP, OWNER, STOP_SIGNAL, prepare_cluster, start_server
from store.migrate import migrate
from store.pool import open_connection

COMMAND = Path(sys.executable).with_name("forewarn")
COUNT_UNSCORED = "SELECT coalesce(sum(head - consumed), 0) FROM shard"
COUNT_UNDECIDED = """
    SELECT count(*) FROM breach_transition t
    WHERE NOT EXISTS (SELECT FROM ticket_decision d WHERE d.transition_id = t.id)
"""


class BenchmarkFailedError(Exception):
    """Something that the benchmark waits for did not happen."""


@dataclass(frozen=True, slots=True)
class BenchInstallation:
    """Where database and broker are reached, and a look into the tables."""

    folder: Path
    database_url: str
    mqtt_port: int

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://127.0.0.1:{self.mqtt_port}"

    @contextmanager
    def running(self, names: Sequence[str]) -> Iterator[None]:
        """These programs run inside the block; one that ends before it is over fails the benchmark."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FOREWARN_")} | {
            "FOREWARN_VAR": str(self.folder),
            "FOREWARN_DATABASE_URL": self.database_url,
            "FOREWARN_MQTT_URL": self.mqtt_url,
        }
        children = {n: spawn([COMMAND, n], log=self.folder / f"{n}.log", env=environment) for n in names}
        try:
            yield
            for name, child in children.items():
                if child.poll() is not None:
                    raise BenchmarkFailedError(f"{name} ended with {child.returncode}\n{self.read_log(name)}")
        finally:
            for child in reversed(list(children.values())):
                end(child, with_signal=SIGTERM, timeout_s=20)

    def query(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        with open_connection(self.database_url, application="benchmark") as conn:
            return conn.cursor(row_factory=dict_row).execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The first column of the first row, or None."""
        rows = self.query(query, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def wait_until(self, condition: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
        """Returns as soon as the condition holds.

        Raises
        ------
        BenchmarkFailedError
            It does not in time.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise BenchmarkFailedError(f"waited {timeout_s:g} s in vain for {what}")
            time.sleep(0.1)

    def wait_until_triaged(self, *, readings: int) -> None:
        """So many readings are stored, all blocks are scored and every transition has its decision."""
        self.wait_until(lambda: self.value("SELECT count(*) FROM reading") >= readings, f"{readings} readings")
        self.wait_until(lambda: self.value(COUNT_UNSCORED) == 0, "all blocks to be scored")
        self.wait_until(lambda: self.value(COUNT_UNDECIDED) == 0, "all breaches to be triaged")

    def read_log(self, name: str) -> str:
        """The end of a program's log."""
        log = self.folder / f"{name}.log"
        return log.read_text(encoding="utf-8", errors="replace")[-4_000:] if log.exists() else ""


@contextmanager
def bench_installation() -> Iterator[BenchInstallation]:
    """A fresh, migrated embedded database and a broker on a free port; everything is gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forewarn-bench-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs under another account
        cluster = prepare_cluster(folder)
        server = start_server(cluster, folder / "postgres.log")
        stack.callback(end, server, with_signal=STOP_SIGNAL, timeout_s=30)
        migrate(cluster.url(OWNER))
        port = find_free_port()
        write_configuration(folder / "broker.toml", port=port)
        broker = spawn_broker(folder / "broker.toml", folder / "broker.log")
        stack.callback(end, broker, with_signal=SIGTERM, timeout_s=10)
        installation = BenchInstallation(folder, cluster.url(APP), port)
        installation.wait_until(lambda: is_listening(port), "the broker to listen", timeout_s=30)
        yield installation


def find_free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
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
