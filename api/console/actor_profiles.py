"""Profiles of the devices that alarm most, so that their monitors can be named."""

from collections.abc import Iterable, Sequence

from domain.kpi import Kpi, KpiFigure
from domain.profile import Profile
from store.devices import load_models_of
from store.pool import Pool
from store.profiles import load_profiles


def load_profiles_of(pool: Pool, found: Iterable[tuple[Kpi, Sequence[KpiFigure]]]) -> dict[str, Profile]:
    """The profile of each device that a figure of the first group names, by serial."""
    serials = {str(actor["serial"]) for _, figures in found for actor in figures[0].detail}
    if not serials:
        return {}
    with pool.connection() as conn:
        models, profiles = load_models_of(conn, serials), load_profiles(conn)
    return {serial: profiles[model] for serial, model in models.items() if model in profiles}
