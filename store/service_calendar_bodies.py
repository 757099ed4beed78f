"""What calendars say, read once in the life of a process: versions are written once and known by their hash."""

from collections.abc import Iterable

from domain.service_calendar import ServiceCalendar, calendar_from_json
from store.pool import Connection

# Calendars by the hash of what they say: the same for every database and for ever.
_known: dict[str, ServiceCalendar] = {}
_MOST_KNOWN = 1000
LOAD_BODIES = "SELECT id, calendar FROM service_calendar_version WHERE id = ANY (%s)"


def load_calendar_bodies(conn: Connection, wanted: Iterable[tuple[int, str]]) -> dict[int, ServiceCalendar]:
    """The calendar of each (version id, hash); read from the database once in the life of the process."""
    hashes = dict(wanted)
    found = {version_id: _known.get(sha256) for version_id, sha256 in hashes.items()}
    missing = [version_id for version_id, calendar in found.items() if calendar is None]
    if missing:
        if len(_known) > _MOST_KNOWN:
            _known.clear()
        for version_id, document in conn.execute(LOAD_BODIES, (missing,)):
            found[version_id] = _known[hashes[version_id]] = calendar_from_json(document)
    return {version_id: calendar for version_id, calendar in found.items() if calendar is not None}
