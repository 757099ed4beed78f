"""How much memory this process may count on: the machine's, or less where a container sets a limit."""

from pathlib import Path

import psutil

MEBIBYTE = 1 << 20
# Inside a container its own control group is the root of what it sees: of version 2, of version 1.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# What the index of the readings needs close at hand is one page for each series: 400 MB for 50,000 of them.
BUFFERS_SHARE = 8
LEAST_BUFFERS_MIB = 128
MOST_BUFFERS_MIB = 2_048


def load_memory_mib() -> int:
    """MiB of memory that all processes here may hold between them."""
    bounds = [psutil.virtual_memory().total]
    for limit in LIMITS:
        try:
            text = limit.read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal():  # "max" is none
            bounds.append(int(text))
    return int(min(bounds)) // MEBIBYTE


def find_buffers_mib(memory_mib: int) -> int:
    """What the embedded database shall keep pages in: an eighth of the memory, within bounds.

    A quarter is what PostgreSQL's manual says of a server of its own; here the programs and a browser live beside it.
    """
    return min(max(memory_mib // BUFFERS_SHARE, LEAST_BUFFERS_MIB), MOST_BUFFERS_MIB)
