"""How many processors each process of an installation keeps busy, and which of the database's work is the API's."""

import time
from pathlib import Path

from benchmarks.process_memory import find_children, load_cpu_ms
from store.pool import Connection

NAMES = ("ingest", "anomaly", "api", "database", "api_database", "broker", "load", "readers", "bench")
PROGRAMS = {"postgres": "database", "mosquitto": "broker", "broker": "broker"}
MODULES = {"benchmarks.paced_load": "load", "benchmarks.console_streams": "readers"}
LOAD_CONNECTIONS_OF_API = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'forewarn api%'"


class CoreMeter:
    """Measures from where it is made to where it is read. A process that begins later counts with all it took, one that
    ends in between not at all."""

    def __init__(self, conn: Connection, root: int) -> None:
        self._conn = conn
        self._root = root
        self._began = time.monotonic()
        self._before = self._load()

    def read(self) -> dict[str, float]:
        """Processors that were kept busy, by name."""
        seconds = time.monotonic() - self._began
        cores = dict.fromkeys(NAMES, 0.0)
        for process, (name, cpu_ms) in self._load().items():
            took = (cpu_ms - self._before.get(process, (name, 0.0))[1]) / 1e3 / seconds
            cores[name] += took
            if name == "api_database":
                cores["database"] += took
        return cores

    def _load(self) -> dict[int, tuple[str, float]]:
        of_api = {int(row[0]) for row in self._conn.execute(LOAD_CONNECTIONS_OF_API)}
        found: dict[int, tuple[str, float]] = {}
        for process in find_children(self._root):
            try:
                name = "api_database" if process in of_api else self._name(process)
                if name:
                    found[process] = (name, load_cpu_ms(process))
            except OSError:  # it has ended
                continue
        return found

    def _name(self, process: int) -> str:
        if process == self._root:
            return "bench"
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
        executable = Path(words[0].split(":")[0]).name
        if executable in PROGRAMS:
            return PROGRAMS[executable]
        module = next((MODULES[word] for word in words if word in MODULES), "")
        is_program = len(words) > 2 and Path(words[1]).name == "forewarn" and words[2] in NAMES
        return module or (words[2] if is_program else "")
