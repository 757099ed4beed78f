"""Of what an overview is: one customer or one device, real records or simulated ones, for whoever asks."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OverviewScope:
    """Of which customer (`customer_id`), or of which device, real or simulated records.

    `own_customer_id` is that of a caller who sees one customer's rows alone: of a device that another one had before it
    does not see what was done then.
    """

    is_simulated: bool
    customer_id: int | None = None
    device_id: int | None = None
    own_customer_id: int | None = None

    def to_values(self, **more: Any) -> dict[str, Any]:
        """The parameters of every query here."""
        values = {name: getattr(self, name) for name in OverviewScope.__slots__}
        return {**values, "limit": 50, **more}

    def pick(self, of_customer: str, of_device: str) -> str:
        """The one of two queries that this scope is for."""
        return of_customer if self.device_id is None else of_device
