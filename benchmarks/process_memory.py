"""How much memory the processes of an installation hold, sampled while something else runs, and what time they take."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

MEBIBYTE = 1 << 20
TICKS_MS = 1_000 / os.sysconf("SC_CLK_TCK")


def find_children(process_id: int) -> list[int]:
    """The process and all that descend from it, as far as they live."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [process_id]
    for known in found:
        found += parents.get(known, ())
    return found


def load_memory(process_ids: Sequence[int]) -> float:
    """MiB that these processes hold between them; a page that several share counts in equal parts (PSS)."""
    total = 0
    for process_id in process_ids:
        try:
            lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total / MEBIBYTE


def load_cpu_ms(process_id: int) -> float:
    """The processor's time that the process has taken so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_MS


@contextmanager
def sampled_memory(
    roots: Mapping[str, int], every_s: float, note: Callable[[], Mapping[str, float]]
) -> Iterator[list[dict[str, float]]]:
    """Grows, while the block runs, by one row for each `every_s`: MiB by name of the root, and what `note` says."""
    rows: list[dict[str, float]] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(every_s):
            row = {name: round(load_memory(find_children(root)), 1) for name, root in roots.items()}
            rows.append({**row, **note()})

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield rows
    finally:
        stop.set()
        thread.join(10)


def find_named_children(process_id: int, names: Mapping[str, str]) -> dict[str, int]:
    """The children by what they are: one of `names` where its executable is called so, else the program's own command
    (`forewarn ingest` is "ingest"). Other children are left out."""
    found: dict[str, int] = {}
    for child in find_children(process_id)[1:]:
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
            parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent != process_id:
            continue
        executable = Path(words[0]).name
        if executable in names:
            found[names[executable]] = child
        elif len(words) > 2 and Path(words[1]).name == "forewarn":
            found[words[2]] = child
    return found
