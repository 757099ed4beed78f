"""What every wire format is turned into, so that one place judges it: parts that look as Forewarn's own JSON does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ingest.decode import Problem, TelemetryPart
from ingest.device_table import Route, TopicKind


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One firmware, event, status or attributes report, not judged yet. `body` is shaped as on its own topic in
    docs/reference; `path` is where it stands in the message, for people, and `name_field` gives the path of a field
    of the body ("attributes.ward"); by default it is below `path`."""

    serial: str
    path: str
    kind: TopicKind
    body: Any
    name_field: Callable[[str], str | None] | None = field(default=None, compare=False, repr=False)


Part: TypeAlias = TelemetryPart | ReportPart | Problem


class Decoder(Protocol):
    """Pure and total: any bytes give parts, in the order of the message, and never an exception.

    A `TelemetryPart.body` is `{"ts": …, "values": {…}, "units": {…}, "quality": {…}}`, of which all but `values` may be
    absent. What cannot be such a part is a `Problem` with the reason and the field's path, with a weight of one for
    each value that is lost by it.
    """

    def __call__(self, payload: bytes, route: Route, received_us: int) -> Iterator[Part]:
        """The parts of one payload."""
        ...
