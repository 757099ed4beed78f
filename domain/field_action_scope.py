"""Which devices a field action is for, in which waves they come, and the hash that freezes both. Pure."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.audit import find_content_sha256
from domain.firmware_version import VersionRange

MOST_SERIALS = 50_000
MOST_WAVES = 20
MOST_SOAK_H = 24.0 * 365
ANY_VERSION = VersionRange()


@dataclass(frozen=True, slots=True)
class ScopeQuery:
    """What a device must be to be in the scope: all that is given must be true, of a list any one.

    A device whose firmware has no order, or is not known, cannot be placed in a range: it is in the scope, as a recall
    that misses a device is worse than one that looks at one too many, unless `with_unknown_firmware` is False.
    Decommissioned devices are never in it.
    """

    model: str
    lots: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    firmware: VersionRange = ANY_VERSION
    with_unknown_firmware: bool = True
    customers: tuple[str, ...] = ()  # codes
    regions: tuple[str, ...] = ()
    is_simulated: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is stored and signed."""
        return asdict(self) | {
            name: sorted(getattr(self, name)) for name in ("lots", "serials", "customers", "regions")
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ScopeQuery":
        """What `to_json` gave."""
        lists = {name: tuple(values[name]) for name in ("lots", "serials", "customers", "regions")}
        return cls(
            model=values["model"],
            firmware=VersionRange(**values["firmware"]),
            with_unknown_firmware=values["with_unknown_firmware"],
            is_simulated=values["is_simulated"],
            **lists,
        )


@dataclass(frozen=True, slots=True)
class Wave:
    """One part of a roll-out: the devices named, or a share of those that no wave before it has.

    The next wave opens `soak_h` hours after this one did at the earliest, and when `done_share` of this one is done.
    """

    share: float = 1.0  # (0, 1] of the devices that are left
    serials: tuple[str, ...] = ()
    soak_h: float = 24.0
    done_share: float = 0.9

    def to_json(self) -> dict[str, Any]:
        """As it is stored and signed."""
        return asdict(self) | {"serials": sorted(self.serials)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Wave":
        """What `to_json` gave."""
        return cls(**dict(values) | {"serials": tuple(values["serials"])})


ONE_WAVE = (Wave(),)


def find_wave_problems(waves: Sequence[Wave]) -> dict[str, str]:
    """What is wrong with a plan of waves, by field; nothing where it can be used."""
    if not 1 <= len(waves) <= MOST_WAVES:
        return {"waves": f"are 1 to {MOST_WAVES}"}
    problems = {}
    for place, wave in enumerate(waves):
        if not wave.serials and not 0.0 < wave.share <= 1.0:
            problems[f"waves[{place}].share"] = "is above 0 and at most 1"
        if not 0.0 <= wave.soak_h <= MOST_SOAK_H:
            problems[f"waves[{place}].soak_h"] = f"is 0 to {MOST_SOAK_H:.0f} hours"
        if not 0.0 <= wave.done_share <= 1.0:
            problems[f"waves[{place}].done_share"] = "is 0 to 1"
    last = waves[-1]
    if not problems and (last.serials or last.share < 1.0):
        problems[f"waves[{len(waves) - 1}].share"] = "must be 1: the last wave takes all that are left"
    return problems


def assign_waves(serials: Collection[str], waves: Sequence[Wave], seed: str) -> dict[str, int]:
    """The wave of each serial, counted from 1; equal input gives equal waves.

    Who is in a share is drawn by a hash of seed and serial, so no ward and no lot comes first by its name. A named
    serial that is not in the scope is nobody's.

    Raises
    ------
    ValueError
        The plan cannot be used.
    """
    if find_wave_problems(waves):
        raise ValueError("the plan of waves cannot be used")
    named: dict[str, int] = {}
    for number, wave in enumerate(waves, 1):
        for serial in wave.serials:
            if serial in serials:
                named.setdefault(serial, number)
    left = sorted((s for s in serials if s not in named), key=lambda s: hashlib.sha256(f"{seed}:{s}".encode()).digest())
    placed = dict(named)
    for number, wave in enumerate(waves, 1):
        if wave.serials:
            continue
        count = len(left) if wave.share == 1.0 else min(max(1, round(wave.share * len(left))), len(left))
        for serial in left[:count]:
            placed[serial] = number
        left = left[count:]
    return placed


def find_scope_sha256(placed: Mapping[str, int]) -> str:
    """The hash over every serial and its wave: what freezing means."""
    return find_content_sha256({"items": sorted(placed.items())})


@dataclass(frozen=True, slots=True)
class ScopePreview:
    """What a query finds now, before anything is frozen."""

    devices: int
    by_region: Mapping[str, int]
    by_customer: Mapping[str, int]  # by code; "": devices without a site
    by_lot: Mapping[str, int]
    by_firmware: Mapping[str, int]
    unknown_firmware: Mapping[str, int]  # versions that cannot be placed in the range, whether or not they are taken
    decommissioned: int  # that would be in it and are not
    overlapping: int  # devices that another live campaign for the component has
    unknown_serials: Sequence[str] = field(default_factory=tuple)  # named, and of no device of the model
    sample: Sequence[str] = field(default_factory=tuple)  # the first serials
