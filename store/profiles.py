"""Device-model profiles, every version that was ever applied."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.audit import Actor
from domain.audit_monitor import profile_applied
from domain.errors import ProfileError
from domain.profile import Profile
from domain.profile_decision import UndoneDecision, describe_undone
from domain.profile_json import find_profile_sha256, profile_from_json, profile_to_json
from domain.roles import Permission
from store.audit import record_audit
from store.pool import Connection
from store.profile_bodies import load_profile_bodies


class Applied(StrEnum):
    """What became of a profile that was applied."""

    NEW = "new"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One version of one profile, for lists."""

    model: str
    version: int
    is_current: bool
    sha256: str
    applied_by: str
    applied_at: datetime
    device_count: int


LOCK_MODEL = "SELECT id, current_version FROM device_model WHERE key = %s FOR UPDATE"
LOAD_BODY = "SELECT body FROM device_model_profile WHERE device_model_id = %s AND version = %s"
RECORD_MODEL = """
    INSERT INTO device_model (key, manufacturer, name, udi_di, safety_critical, current_version)
    VALUES (%(key)s, %(manufacturer)s, %(name)s, %(udi_di)s, %(safety_critical)s, %(version)s)
    ON CONFLICT (key) DO UPDATE SET manufacturer = excluded.manufacturer, name = excluded.name,
        udi_di = excluded.udi_di, safety_critical = excluded.safety_critical,
        current_version = excluded.current_version, row_version = device_model.row_version + 1,
        updated_at = now()
    RETURNING id
"""
RECORD_PROFILE = """
    INSERT INTO device_model_profile (device_model_id, version, body, sha256, applied_by)
    VALUES (%s, %s, %s, %s, %s)
"""
# A sensor that a new version adds becomes a series of every device of the model.
RECORD_SERIES_OF_MODEL = """
    INSERT INTO series (device_id, sensor)
    SELECT d.id, s.sensor FROM device d CROSS JOIN unnest(%s::text[]) AS s (sensor) WHERE d.device_model_id = %s
    ON CONFLICT DO NOTHING
"""


def record_profile(
    conn: Connection,
    profile: Profile,
    applied_by: str,
    *,
    actor: Actor | None = None,
    reason: str = "",
    undone: Sequence[UndoneDecision] = (),
) -> Applied:
    """Makes `profile` the current one of its model, audited; a version that was applied once is never another.

    `actor` is the person who decided it; without one the audit names the program that `applied_by` names. `undone` are
    the decisions of people that it undoes knowingly: they go into the audit with it.

    Raises
    ------
    ProfileError
        The version was applied before with other content, or is older than the current one.
    """
    known = conn.execute(LOCK_MODEL, (profile.model,)).fetchone()
    sha256 = find_profile_sha256(profile)
    if known is not None:
        same_version = conn.execute(LOAD_BODY, (known[0], profile.version)).fetchone()
        # Compared by what it says: the document of an older program lacks the fields that came since.
        if same_version is not None and profile_from_json(same_version[0]) != profile:
            raise ProfileError(
                f"{profile.model}: version {profile.version} was applied before with other content; raise `version`"
            )
        if profile.version < known[1]:
            raise ProfileError(f"{profile.model}: version {profile.version} is older than {known[1]}, which is applied")
        if same_version is not None:
            return Applied.UNCHANGED
    row = conn.execute(
        RECORD_MODEL,
        {
            "key": profile.model,
            "manufacturer": profile.manufacturer,
            "name": Jsonb({"en": profile.name.en, "zh": profile.name.zh}),
            "udi_di": profile.udi_di,
            "safety_critical": profile.safety_critical,
            "version": profile.version,
        },
    ).fetchone()
    assert row is not None
    conn.execute(RECORD_PROFILE, (row[0], profile.version, Jsonb(profile_to_json(profile)), sha256, applied_by))
    conn.execute(RECORD_SERIES_OF_MODEL, ([s.key for s in profile.sensors], row[0]))
    after: dict[str, Any] = {"version": profile.version, "sha256": sha256, "safety_critical": profile.safety_critical}
    if undone:
        after |= {"undone": describe_undone(undone)}
    record_audit(
        conn,
        actor or Actor(applied_by, "", Permission.PROFILE_WRITE.value),
        profile_applied(profile.model, None if known is None else known[1], after, reason),
    )
    return Applied.NEW


COUNT_SAFETY_CRITICAL = """
    SELECT count(*) FROM device d JOIN device_model m ON m.id = d.device_model_id
    WHERE m.key = %s AND m.safety_critical AND d.lifecycle IN ('INSTALLED', 'IN_SERVICE')
"""


def count_safety_critical(conn: Connection, model: str) -> int:
    """How many devices of a safety-critical model are in service; 0 of another model."""
    row = conn.execute(COUNT_SAFETY_CRITICAL, (model,)).fetchone()
    assert row is not None
    return int(row[0])


LOAD_PROFILES = """
    SELECT p.sha256 FROM device_model m
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    ORDER BY m.key
"""


def load_profiles(conn: Connection) -> dict[str, Profile]:
    """The current profile of every model, by the model's key."""
    hashes = [sha256 for (sha256,) in conn.execute(LOAD_PROFILES)]
    bodies = load_profile_bodies(conn, hashes)
    return {bodies[sha256].model: bodies[sha256] for sha256 in hashes}


LOAD_PROFILE_VERSIONS = """
    SELECT p.device_model_id, p.body FROM device_model_profile p JOIN device_model m ON m.id = p.device_model_id
    ORDER BY p.device_model_id, p.version = m.current_version, p.version
"""


def load_profile_versions(conn: Connection) -> dict[int, list[Profile]]:
    """Every version of every profile, by the id of its model, the current one last."""
    versions: dict[int, list[Profile]] = {}
    for model_id, body in conn.execute(LOAD_PROFILE_VERSIONS):
        versions.setdefault(model_id, []).append(profile_from_json(body))
    return versions


LOAD_PROFILE = """
    SELECT p.body FROM device_model m JOIN device_model_profile p ON p.device_model_id = m.id
    WHERE m.key = %(model)s AND p.version = coalesce(%(version)s, m.current_version)
"""


def load_profile(conn: Connection, model: str, version: int | None = None) -> Profile | None:
    """The profile of that model at that version (the current one by default), or None."""
    row = conn.execute(LOAD_PROFILE, {"model": model, "version": version}).fetchone()
    return None if row is None else profile_from_json(row[0])


LOAD_PROFILES_OF_DEVICES = """
    SELECT d.id, p.version, p.sha256
    FROM unnest(%(devices)s::bigint[], %(versions)s::integer[]) AS wanted (device_id, version)
    JOIN device d ON d.id = wanted.device_id
    JOIN device_model_profile p ON p.device_model_id = d.device_model_id AND p.version = wanted.version
"""


def load_profiles_of_devices(conn: Connection, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], Profile]:
    """The profile of the model of each device at that version, by (id of the device, version); without unknown ones."""
    given = {"devices": [device for device, _ in wanted], "versions": [version for _, version in wanted]}
    rows = conn.execute(LOAD_PROFILES_OF_DEVICES, given).fetchall()
    bodies = load_profile_bodies(conn, {sha256 for _, _, sha256 in rows})
    return {(device, version): bodies[sha256] for device, version, sha256 in rows}


LIST_PROFILES = """
    SELECT m.key AS model, p.version, p.version = m.current_version AS is_current, p.sha256, p.applied_by, p.applied_at,
        (SELECT count(*) FROM device d WHERE d.device_model_id = m.id) AS device_count
    FROM device_model m JOIN device_model_profile p ON p.device_model_id = m.id ORDER BY m.key, p.version DESC
"""


def load_profile_rows(conn: Connection) -> list[ProfileRow]:
    """Every version of every profile, newest first within a model."""
    with conn.cursor(row_factory=class_row(ProfileRow)) as cursor:
        return cursor.execute(LIST_PROFILES).fetchall()
