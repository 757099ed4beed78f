"""Names of monitors where only their keys are stored: in counts, results and breaches of versions that are over."""

from collections.abc import Iterable

from api.console.monitor_words import find_label
from api.console.page import View
from domain.profile import Profile


def name_monitor(view: View, profile: Profile | None, key: str) -> str:
    """What the monitor watches and how, in the reader's language; its key where the profile has it no more."""
    monitor = None if profile is None else profile.find_monitor(key)
    return key if profile is None or monitor is None else find_label(view, profile, monitor)


def name_monitors(view: View, profile: Profile | None, keys: Iterable[str]) -> str:
    """Their names in one line; "" without any."""
    return view.t("list.comma").join(name_monitor(view, profile, key) for key in keys)
