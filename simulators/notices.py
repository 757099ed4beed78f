"""What a simulated device makes of a firmware notice: it installs the version after a while, or leaves it be. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from domain.clock import to_micros
from simulators.fleet_plan import Rollout

COMPONENT = "main"
DOWN = "/down/firmware"
UPDATE_US = 15_000_000  # an update is over by then


@dataclass(frozen=True, slots=True)
class Notice:
    """What a device was told; no version: what it was told before holds no more."""

    serial: str
    version: str = ""
    not_before_us: int = 0


def parse_notice(topic: str, payload: bytes) -> Notice | None:
    """The notice of `forewarn/v1/{serial}/down/firmware`, or of a gateway's `…/down/firmware/{serial}`; None for what
    is none."""
    levels = topic.split("/")
    serial = levels[-1] if levels[:3] == ["forewarn", "v1", "gateway"] else levels[2] if len(levels) > 2 else ""
    if DOWN not in topic or not serial:
        return None
    if not payload:
        return Notice(serial)
    try:
        told = orjson.loads(payload)
        if told.get("component", COMPONENT) != COMPONENT:
            return None
        not_before = told.get("not_before")
        not_before_us = 0 if not_before is None else to_micros(datetime.fromisoformat(not_before))
        version = told["version"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Notice(serial, version, not_before_us) if isinstance(version, str) and version else None


def follow_notice(
    rollouts: Sequence[Rollout], notice: Notice, running: str, now_us: int, after_us: int
) -> list[Rollout]:
    """The updates still to come after the device read the notice.

    One that has begun goes on, and what the device is told comes after it. What was only planned gives way to what it
    is told now; nothing is planned for a version that it runs by then.
    """
    theirs = [r for r in rollouts if r.serial == notice.serial]
    others = [r for r in rollouts if r.serial != notice.serial]
    begun = [r for r in theirs if r.at_us <= now_us]
    kept = [*others, *begun]
    running = begun[-1].version if begun else running
    if notice.version in ("", running):
        return kept
    planned = [r for r in theirs if r not in begun and r.version == notice.version]
    if planned:
        return [*kept, *planned]
    over_us = max((r.at_us + UPDATE_US for r in begun), default=0)
    at_us = max(now_us + after_us, notice.not_before_us, over_us)
    return [*kept, Rollout(notice.serial, at_us, notice.version, running)]
