"""A release that made pumps worse, for pictures: what they drew before and after it, their alarms, and the CAPA."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.profile import Text
from service_link.firmware_regression import watch_releases
from store.profiles import record_profile
from tests.e2e.seeding import make_people
from tests.support.releases import PROFILE, UPDATED, Physics, add_fleet, find_update, make_usual, store_hours
from tests.support.service_world import open_world

BEGIN = UPDATED - timedelta(days=2)
END = UPDATED + timedelta(days=2)
DEVICES, UPDATED_DEVICES, BREACHED = 40, 15, 9
LABELS = {"current": Text("Motor current", "电机电流"), "temperature": Text("Housing temperature", "机壳温度")}
FAULTS = {
    "motor": Text("Motor drive", "电机驱动"),
    "heat": Text("Overheating", "过热"),
    "data_quality": Text("Data quality", "数据质量"),
}
NAMED = replace(
    PROFILE,
    version=PROFILE.version + 1,
    name=Text("Syringe pump", "注射泵"),
    sensors=tuple(replace(sensor, label=LABELS[sensor.key]) for sensor in PROFILE.sensors),
    fault_groups=tuple(replace(group, label=FAULTS[group.key]) for group in PROFILE.fault_groups),
)


def seed_release(url: str) -> Sequence[str]:
    """The codes of what was proposed: 2.0 made the motors of 15 of 40 pumps draw 0.2 A more and run warmer."""
    with open_world(url) as world:
        make_people(world.conn, PROFILE.model)
        world.now = END
        add_fleet(world, DEVICES, updated=UPDATED_DEVICES)
        record_profile(world.conn, NAMED, "setup")
        store_hours(world, BEGIN, END, make_worse(), None)
        for n in range(BREACHED):
            at = find_update(n) + timedelta(hours=24 + 2 * n)
            world.raise_breach(f"P-{n:03}", fault_group="motor", at=at, firmware="2.0")
        world.triage()
        return watch_releases(world.conn, END)


def make_worse() -> Physics:
    """Motor current and temperature of the first devices, higher from their update on."""
    usual = make_usual()

    def worse(device: int, place: int, at: datetime) -> float:
        is_new = device < UPDATED_DEVICES and at >= find_update(device)
        return usual(device, place, at) + ((0.2, 1.5)[place] if is_new else 0.0)

    return worse
