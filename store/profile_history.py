"""Every version of a device model's profile: who applied it, when, why, and by which decision."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ProfileModel:
    """A device model with the profile that is in force."""

    model: str
    name: dict[str, str]
    safety_critical: bool
    version: int
    versions: int
    devices: int
    drafts: int  # proposed profiles that are neither live nor retired
    applied_by: str
    applied_at: datetime


LIST_PROFILE_MODELS = """
    SELECT m.key AS model, m.name, m.safety_critical, p.version,
        (SELECT count(*) FROM device_model_profile v WHERE v.device_model_id = m.id) AS versions,
        (SELECT count(*) FROM device d WHERE d.device_model_id = m.id AND (%(customer_id)s::bigint IS NULL
            OR d.site_id IN (SELECT s.id FROM site s WHERE s.customer_id = %(customer_id)s))) AS devices,
        (SELECT count(*) FROM model_record r
            WHERE r.device_model_id = m.id AND r.kind = 'profile' AND r.state IN ('DRAFT', 'SHADOW')) AS drafts,
        p.applied_by, p.applied_at
    FROM device_model m JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    ORDER BY m.key
"""


def load_profile_models(conn: Connection, *, customer_id: int | None) -> list[ProfileModel]:
    """Every device model by its key; its devices are those of that customer alone, if one is named."""
    with conn.cursor(row_factory=class_row(ProfileModel)) as cursor:
        return cursor.execute(LIST_PROFILE_MODELS, {"customer_id": customer_id}).fetchall()


@dataclass(frozen=True, slots=True)
class ProfileVersion:
    """One version that was applied; `decision` is the code of the threshold or the draft that it came of."""

    version: int
    is_current: bool
    sha256: str
    applied_by: str
    applied_at: datetime
    reason: str
    decision: str | None


# A profile that is made live becomes the version behind the one that it replaces; no other one is made of it.
LIST_PROFILE_VERSIONS = """
    SELECT p.version, p.version = m.current_version AS is_current, p.sha256, p.applied_by, p.applied_at,
        coalesce((SELECT a.reason FROM audit_event a
            WHERE a.entity = 'device_model' AND a.entity_id = m.key AND a.action = 'profile.applied'
                AND (a.after ->> 'version')::integer = p.version ORDER BY a.seq DESC LIMIT 1), '') AS reason,
        coalesce(
            (SELECT t.code FROM threshold_proposal t
                WHERE t.device_model_id = m.id AND t.state = 'ACCEPTED' AND t.made_version = p.version LIMIT 1),
            (SELECT r.code FROM model_record r
                WHERE r.device_model_id = m.id AND r.kind = 'profile' AND r.live_since IS NOT NULL
                    AND r.replaced_profile_version = p.version - 1 ORDER BY r.id DESC LIMIT 1)) AS decision
    FROM device_model m JOIN device_model_profile p ON p.device_model_id = m.id
    WHERE m.key = %s ORDER BY p.version DESC
"""


def load_profile_history(conn: Connection, model: str) -> list[ProfileVersion]:
    """The versions of that model's profile, the newest first; none where there is no such model."""
    with conn.cursor(row_factory=class_row(ProfileVersion)) as cursor:
        return cursor.execute(LIST_PROFILE_VERSIONS, (model,)).fetchall()
