"""What a Sparkplug host application says of itself, so that edge nodes that have it as primary one can wait for it.

Source: Eclipse Sparkplug Specification 3.0.0, sections 4.3.5 and 5.3 (STATE messages).
"""

from dataclasses import dataclass

import orjson

from domain.sparkplug import NAMESPACE


@dataclass(frozen=True, slots=True)
class HostState:
    """One connection of a host application. Will and online message carry the time at which it was made."""

    host_id: str
    connected_ms: int

    @property
    def topic(self) -> str:
        return f"{NAMESPACE}/STATE/{self.host_id}"

    def describe(self, *, is_online: bool, at_ms: int | None = None) -> bytes:
        """The payload; `at_ms` only for the farewell."""
        return orjson.dumps({"online": is_online, "timestamp": self.connected_ms if at_ms is None else at_ms})

    def is_online(self, payload: bytes) -> bool:
        """Whether this message says what is true as long as the connection stands."""
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return False
        return isinstance(document, dict) and document.get("online") is True
