"""What profiles say, read once in the life of a process: versions are written once and known by their hash."""

from collections.abc import Collection

from domain.profile import Profile
from domain.profile_json import profile_from_json
from store.pool import Connection

# Profiles by the hash of what they say: the same for every database and for ever.
_known: dict[str, Profile] = {}
_MOST_KNOWN = 1000
LOAD_BODIES = "SELECT DISTINCT ON (sha256) sha256, body FROM device_model_profile WHERE sha256 = ANY (%s)"


def load_profile_bodies(conn: Connection, hashes: Collection[str]) -> dict[str, Profile]:
    """The profile of each of these hashes; read from the database once in the life of the process."""
    found = {sha256: _known[sha256] for sha256 in hashes if sha256 in _known}
    missing = [sha256 for sha256 in hashes if sha256 not in found]
    if missing:
        if len(_known) > _MOST_KNOWN:
            _known.clear()
        for sha256, document in conn.execute(LOAD_BODIES, (missing,)):
            found[sha256] = _known[sha256] = profile_from_json(document)
    return found
