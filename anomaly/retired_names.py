"""Names of monitors that watch nobody any more, for the sentences that close their breaches."""

from collections.abc import Sequence
from dataclasses import replace

from domain.breach import BreachTransition
from domain.monitor_names import name_monitor
from domain.sentences import in_both
from store.pool import Connection
from store.profiles import load_profiles_of_devices


def name_retired(conn: Connection, ends: Sequence[BreachTransition]) -> list[BreachTransition]:
    """The same transitions, each with its monitor's name by the version of the profile that raised the breach."""
    profiles = load_profiles_of_devices(conn, {(end.device_id, end.profile_version) for end in ends})
    named = []
    for end in ends:
        profile = profiles.get((end.device_id, end.profile_version))
        monitor = None if profile is None else profile.find_monitor(end.monitor)
        if profile is not None and monitor is not None:
            end = replace(end, params=end.params | {"monitor_name": in_both(name_monitor(profile, monitor))})
        named.append(end)
    return named
