"""Since when nothing that a device sent could have been missed: before that, silence is no fault of the device's."""

from ingest.mqtt_source import SourceState

# Messages that wait longer than this show that we are behind; a pause this long between two looks, that we were away.
BEHIND_US = 5_000_000
AWAY_US = 30_000_000


class Listening:
    """Watches one source. Pure: the clock is a parameter."""

    def __init__(self) -> None:
        self._since_us: int | None = None
        self._connections = 0
        self._looked_us: int | None = None

    def note(self, state: SourceState, now_us: int) -> int | None:
        """Since when this source has listened without a break and kept up; None while it does not."""
        was_away = self._looked_us is not None and not 0 <= now_us - self._looked_us <= AWAY_US
        self._looked_us = now_us
        is_behind = state.oldest_us is not None and now_us - state.oldest_us > BEHIND_US
        if not state.connected or is_behind:
            self._since_us = None
        elif self._since_us is None or was_away or state.connections != self._connections:
            self._since_us = now_us
        self._connections = state.connections
        return self._since_us
