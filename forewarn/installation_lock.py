"""One supervisor for one folder: a second start there is refused instead of fighting over the data."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from domain.errors import ForewarnError


class AlreadyRunningError(ForewarnError):
    """Forewarn is already running in this folder."""


class InstallationLock:
    """Held for the length of a `with` block, and let go by the kernel when the process dies in any way."""

    def __init__(self, var: Path) -> None:
        self._path = var / "forewarn.lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"({self._path.parent.resolve()}, process {holder}) Stop it, or set FOREWARN_VAR, FOREWARN_HTTP_PORT "
                "and FOREWARN_MQTT_PORT to other values for a second installation."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode("ascii"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
