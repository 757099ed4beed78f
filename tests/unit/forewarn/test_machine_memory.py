"""How much the embedded database may take of a machine, and of a container on it."""

from pathlib import Path

import psutil
import pytest

from forewarn import machine_memory
from forewarn.machine_memory import find_buffers_mib, load_memory_mib

MACHINE_MIB = psutil.virtual_memory().total // (1 << 20)


@pytest.mark.parametrize(
    ("memory_mib", "buffers_mib"),
    [(512, 128), (2_048, 256), (8_192, 1_024), (16_384, 2_048), (262_144, 2_048)],
)
def test_an_eighth_of_the_memory_within_bounds(memory_mib: int, buffers_mib: int) -> None:
    assert find_buffers_mib(memory_mib) == buffers_mib


@pytest.mark.parametrize(
    ("limit", "memory_mib"),
    [("268435456\n", 256), ("max\n", MACHINE_MIB), ("9223372036854771712\n", MACHINE_MIB), (None, MACHINE_MIB)],
)
def test_a_container_with_a_limit_has_no_more_than_that(
    limit: str | None, memory_mib: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit, "ascii")
    monkeypatch.setattr(machine_memory, "LIMITS", (file,))
    assert load_memory_mib() == memory_mib
