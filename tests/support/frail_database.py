"""A PostgreSQL server of one test's own that may be frozen, stopped and started again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

import psutil

from forewarn.child_process import end
from forewarn.embedded_postgres import APP, OWNER, STOP_SIGNAL, Cluster
from tests.support.clusters import copy_migrated_cluster, start_quick_server, temporary_folder
from tests.support.databases import Database


class FrailDatabase:
    """The server behind `database`. Use it from the main thread."""

    def __init__(self, folder: Path) -> None:
        self._cluster: Cluster = copy_migrated_cluster(folder)
        self._log = folder / "postgres.log"
        self.start()
        self.database = Database("postgresql", "forewarn", self._cluster.url(APP), self._cluster.url(OWNER))

    def start(self) -> None:
        """Accepts connections on return; after a kill it has recovered."""
        self._process = start_quick_server(self._cluster, self._log)

    def stop(self) -> None:
        """Ended in order: open transactions are rolled back."""
        end(self._process, with_signal=STOP_SIGNAL, timeout_s=60)

    def kill(self) -> None:
        """SIGKILL to the server and all of its processes, in the middle of whatever they do."""
        self._signal(SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing answers, as on a machine that swaps or a disk that hangs."""
        self._signal(SIGSTOP)

    def thaw(self) -> None:
        """Goes on where it was frozen."""
        self._signal(SIGCONT)

    def _signal(self, number: Signals) -> None:
        server = psutil.Process(self._process.pid)
        # The server first when it stops, so that it forks nothing in between; last when it goes on.
        processes = [server, *server.children(recursive=True)]
        if number is SIGSTOP:
            server.send_signal(SIGSTOP)
            processes = server.children(recursive=True)
        for process in processes:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue


@contextmanager
def frail_database() -> Iterator[FrailDatabase]:
    """A migrated database on a server that this test may break."""
    with temporary_folder("forewarn-frail-") as folder:
        frail = FrailDatabase(folder)
        try:
            yield frail
        finally:
            frail.thaw()
            frail.stop()
