"""Which devices and which time a training or a backtest is about, from the registry and what is stored."""

from dataclasses import dataclass
from datetime import datetime

from anomaly.bank import WatchedDevice
from domain.errors import ForewarnError, NotFoundError
from domain.profile import Profile
from store.history import load_history_span
from store.pool import Connection
from store.registry import Registry


class NothingToLearnError(ForewarnError):
    """There is nothing to learn from."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices of a model in order of id, and the window [since, until)."""

    model: str
    firmware: str
    profile: Profile
    devices: tuple[WatchedDevice, ...]
    since: datetime
    until: datetime

    @property
    def series_ids(self) -> list[int]:
        """All series of the devices."""
        return sorted(i for device in self.devices for i in device.series.values())


def find_fleet(
    conn: Connection, registry: Registry, model: str, firmware: str, since: datetime | None, until: datetime | None
) -> Fleet:
    """The devices of that model, those that run `firmware` now where it is named, and the window, cut to what there is.

    Raises
    ------
    NotFoundError
        No device model has that key.
    NothingToLearnError
        It has no such device, or these sent nothing in the window.
    """
    profile = registry.profiles.get(model)
    if profile is None:
        raise NotFoundError(f"(device model {model!r})")
    devices = tuple(
        WatchedDevice(d.id, d.serial, d.model, d.firmware, dict(d.series))
        for d in sorted(registry.devices.values(), key=lambda d: d.id)
        if d.model == model and firmware in ("", d.firmware)
    )
    if not devices:
        raise NothingToLearnError(f"No device of {model}{f' runs {firmware}' if firmware else ''}.")
    span = load_history_span(conn, [i for device in devices for i in device.series.values()])
    if span is None:
        raise NothingToLearnError(f"No device of {model} has sent a reading.")
    since, until = max(since or span[0], span[0]), min(until or span[1], span[1])
    if since >= until:
        raise NothingToLearnError(f"Readings of {model} reach from {span[0]} to {span[1]}.")
    return Fleet(model, firmware, profile, devices, since, until)
