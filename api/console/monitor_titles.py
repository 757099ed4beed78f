"""Names of monitors for sentences that were written before sentences had any: what is written stays as it is."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from domain.monitor_names import name_monitor
from domain.profile import Text
from domain.sentences import lacks_monitor_name
from store.breaches import load_raised_by
from store.pool import Connection
from store.profiles import load_profiles_of_devices
from store.work_order_pages import TimelineEntry


def load_missing_names(conn: Connection, entries: Iterable[TimelineEntry]) -> Mapping[str, Text]:
    """By the id of the breach that a sentence of the timeline closes without a name: its monitor, as the version of the
    profile that raised it has it. Without those whose profile does not have it."""
    wanted = [
        UUID(entry.details["breach_id"])
        for entry in entries
        if entry.kind == "decision" and lacks_monitor_name(entry.details["reason_code"], entry.details["reason_params"])
    ]
    if not wanted:
        return {}
    raised_by = load_raised_by(conn, wanted)
    profiles = load_profiles_of_devices(conn, {(device, version) for device, version, _ in raised_by.values()})
    names: dict[str, Text] = {}
    for breach, (device, version, key) in raised_by.items():
        profile = profiles.get((device, version))
        monitor = None if profile is None else profile.find_monitor(key)
        if profile is not None and monitor is not None:
            names[str(breach)] = name_monitor(profile, monitor)
    return names
