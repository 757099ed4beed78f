"""What people decided about the profile of a device model, as far as it is written down: thresholds and profiles."""

from psycopg.types.json import Jsonb

from domain.audit import Actor
from domain.audit_monitor import profile_kept
from domain.profile import Profile
from domain.profile_decision import ProfileDecision, find_decided
from domain.profile_json import profile_from_json
from store.audit import record_audit
from store.pool import Connection
from store.profiles import load_profile

LOAD_THRESHOLDS = """
    SELECT t.code, t.monitor, t.proposed_raise_at, t.proposed_clear_at
    FROM threshold_proposal t JOIN device_model m ON m.id = t.device_model_id
    WHERE m.key = %s AND t.state = 'ACCEPTED' ORDER BY t.id
"""
LOAD_LIVE_PROFILES = """
    SELECT r.code, r.description -> 'profile', r.replaced_profile_version
    FROM model_record r JOIN device_model m ON m.id = r.device_model_id
    WHERE m.key = %s AND r.kind = 'profile' AND r.live_since IS NOT NULL AND r.replaced_profile_version IS NOT NULL
    ORDER BY r.id
"""


def load_profile_decisions(conn: Connection, model: str) -> list[ProfileDecision]:
    """Every accepted threshold and every profile that was ever made live of a device model; which of them are in force,
    the current profile says."""
    found = [
        ProfileDecision(code, monitor, {"raise_at": raise_at, "clear_at": clear_at})
        for code, monitor, raise_at, clear_at in conn.execute(LOAD_THRESHOLDS, (model,))
    ]
    for code, body, version in conn.execute(LOAD_LIVE_PROFILES, (model,)).fetchall():
        before = load_profile(conn, model, version)
        if before is not None:
            found += find_decided(code, before, profile_from_json(body))
    return found


IS_KEPT_NOTED = """
    SELECT EXISTS (SELECT FROM audit_event WHERE action = 'profile.kept' AND entity = 'device_model' AND entity_id = %s
        AND after = %s)
"""


def record_kept_profile(conn: Connection, actor: Actor, current: Profile, bundled: Profile) -> bool:
    """Notes in the audit that the bundled profile was not applied, since people made the current one; once for each two
    versions: False when it was noted before."""
    after = {"version": current.version, "bundled_version": bundled.version}
    row = conn.execute(IS_KEPT_NOTED, (current.model, Jsonb(after))).fetchone()
    if row is not None and row[0]:
        return False
    record_audit(conn, actor, profile_kept(current.model, current.version, bundled.version))
    return True
