"""When evidence opens an incident, when it closes, and when the next may open.

An incident closes at half of its own peak, and evidence must then double, beyond the least that it fell to since, to
open the next: the windows that still hold the strange rows keep evidence up for as long as they are wide, and that is
the same incident, not a new one; a second fault meanwhile is.
"""

import numpy as np

from anomaly.detectors.contract import Bools, Floats

RAISE_AT = 2.5
CLEAR_AT = 0.5  # times the peak
RISE = 2.0


class ChannelIncident:
    """Whether an incident is open on one signal; three numbers of state."""

    def __init__(self) -> None:
        self._is_open = False
        self._peak = 0.0
        self._raise_at = RAISE_AT

    def follow(self, evidence: Floats) -> Bools:
        """True for each row in which an incident is open; the same for any split into blocks."""
        is_open = np.zeros(evidence.shape[0], dtype=bool)
        for k, now in enumerate(evidence.tolist()):
            if self._is_open:
                self._peak = max(self._peak, now)
                if now < max(CLEAR_AT * self._peak, RAISE_AT):
                    self._is_open = False
                    self._raise_at = max(RAISE_AT, RISE * now)
            elif now >= self._raise_at:
                self._is_open = True
                self._peak = now
            else:
                self._raise_at = min(self._raise_at, max(RAISE_AT, RISE * now))
            is_open[k] = self._is_open
        return is_open
