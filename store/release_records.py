"""How far the comparison of each release is, what was judged of it, and what it led to: rows of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.firmware_release import Comparison, Judged, Measure, Release, Verdict
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """How far the comparison of a release is."""

    device_model_id: int
    model: str
    version: str
    is_simulated: bool
    first_update_at: datetime
    devices: int
    controls: int
    customers: int
    device_hours: float
    looks: int
    next_look_hours: float
    looked_at: datetime | None
    watched_at: datetime

    @property
    def release(self) -> Release:
        """The release that it is the state of."""
        return Release(self.device_model_id, self.model, self.version, self.is_simulated)


_SELECT_STATES = """
    SELECT r.device_model_id, m.key AS model, r.version, r.is_simulated, r.first_update_at, r.devices, r.controls,
        r.customers, r.device_hours, r.looks, r.next_look_hours, r.looked_at, r.watched_at
    FROM firmware_release r JOIN device_model m ON m.id = r.device_model_id
"""
LOAD_STATES = f"{_SELECT_STATES} WHERE r.watched_at >= %s"
LOAD_STATES_OF = f"{_SELECT_STATES} WHERE m.key = %s AND r.version = %s ORDER BY r.is_simulated"


def load_release_states(conn: Connection, since: datetime) -> dict[Release, ReleaseState]:
    """The releases that were watched since then."""
    with conn.cursor(row_factory=class_row(ReleaseState)) as cursor:
        return {state.release: state for state in cursor.execute(LOAD_STATES, (since,))}


def load_states_of_version(conn: Connection, model: str, version: str) -> list[ReleaseState]:
    """The release of that version on real devices, and that on simulated ones, of those that were ever watched."""
    with conn.cursor(row_factory=class_row(ReleaseState)) as cursor:
        return cursor.execute(LOAD_STATES_OF, (model, version)).fetchall()


RECORD_STATE = """
    INSERT INTO firmware_release (device_model_id, version, is_simulated, first_update_at, devices, controls, customers,
        device_hours, looks, next_look_hours, looked_at, watched_at)
    VALUES (%(device_model_id)s, %(version)s, %(is_simulated)s, %(first_update_at)s, %(devices)s, %(controls)s,
        %(customers)s, %(device_hours)s, %(looks)s, %(next_look_hours)s, %(looked_at)s, %(watched_at)s)
    ON CONFLICT (device_model_id, version, is_simulated) DO UPDATE SET
        first_update_at = least(firmware_release.first_update_at, excluded.first_update_at), devices = excluded.devices,
        controls = excluded.controls, customers = excluded.customers, device_hours = excluded.device_hours,
        looks = excluded.looks, next_look_hours = excluded.next_look_hours, looked_at = excluded.looked_at,
        watched_at = excluded.watched_at
"""


def record_release_states(conn: Connection, states: Iterable[ReleaseState]) -> None:
    """Writes how far these comparisons are."""
    rows = [
        {
            "device_model_id": s.device_model_id,
            "version": s.version,
            "is_simulated": s.is_simulated,
            "first_update_at": s.first_update_at,
            "devices": s.devices,
            "controls": s.controls,
            "customers": s.customers,
            "device_hours": s.device_hours,
            "looks": s.looks,
            "next_look_hours": s.next_look_hours,
            "looked_at": s.looked_at,
            "watched_at": s.watched_at,
        }
        for s in states
    ]
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(RECORD_STATE, rows)


_LINE_COLUMNS = ("measure", "subject", "unit", "devices", "controls", "before", "after", "effect", "low", "high", "p",
    "share", "monitor", "fault_group")  # fmt: skip
LOAD_JUDGED = """
    SELECT r.device_model_id, m.key, r.version, r.is_simulated, r.measure, r.subject, r.unit, r.devices, r.controls,
        r.before, r.after, r.effect, r.low, r.high, r.p, r.share, r.monitor, r.fault_group, r.p_valid, r.q, r.verdict,
        r.look, r.judged_at
    FROM firmware_regression r JOIN device_model m ON m.id = r.device_model_id
    JOIN firmware_release f USING (device_model_id, version, is_simulated)
    WHERE (%(since)s::timestamptz IS NULL OR f.watched_at >= %(since)s)
        AND (%(model)s::text IS NULL OR (m.key = %(model)s AND r.version = %(version)s))
    ORDER BY r.q, r.p_valid, r.measure, r.subject
"""


def load_judged(
    conn: Connection, *, since: datetime | None = None, model: str | None = None, version: str = ""
) -> dict[Release, list[Judged]]:
    """What was judged of the releases watched since then, or of one version: the most certain differences first."""
    judged: dict[Release, list[Judged]] = {}
    for row in conn.execute(LOAD_JUDGED, {"since": since, "model": model, "version": version}):
        values = dict(zip(_LINE_COLUMNS, row[4:18], strict=True))
        line = Comparison(**values | {"measure": Measure(row[4]), "verdict": Verdict(row[20])})
        judged.setdefault(Release(*row[:4]), []).append(
            Judged(line, p_valid=row[18], q=row[19], verdict=Verdict(row[20]), look=row[21], judged_at=row[22])
        )
    return judged


RECORD_JUDGED = """
    INSERT INTO firmware_regression (device_model_id, version, is_simulated, measure, subject, unit, devices, controls,
        before, after, effect, low, high, p, p_valid, q, share, monitor, fault_group, verdict, look, judged_at)
    VALUES (%(device_model_id)s, %(version)s, %(is_simulated)s, %(measure)s, %(subject)s, %(unit)s, %(devices)s,
        %(controls)s, %(before)s, %(after)s, %(effect)s, %(low)s, %(high)s, %(p)s, %(p_valid)s, %(q)s, %(share)s,
        %(monitor)s, %(fault_group)s, %(verdict)s, %(look)s, %(judged_at)s)
    ON CONFLICT (device_model_id, version, is_simulated, measure, subject) DO UPDATE SET
        unit = excluded.unit, devices = excluded.devices, controls = excluded.controls, before = excluded.before,
        after = excluded.after, effect = excluded.effect, low = excluded.low, high = excluded.high, p = excluded.p,
        p_valid = excluded.p_valid, q = excluded.q, share = excluded.share, monitor = excluded.monitor,
        fault_group = excluded.fault_group, verdict = excluded.verdict, look = excluded.look,
        judged_at = excluded.judged_at
"""


def record_judged(conn: Connection, release: Release, judged: Sequence[Judged]) -> None:
    """Writes the newest comparison of the release, line by line."""
    rows = [
        {
            "device_model_id": release.device_model_id,
            "version": release.version,
            "is_simulated": release.is_simulated,
            "measure": j.line.measure,
            "subject": j.line.subject,
            "unit": j.line.unit,
            "devices": j.line.devices,
            "controls": j.line.controls,
            "before": j.line.before,
            "after": j.line.after,
            "effect": j.line.effect,
            "low": j.line.low,
            "high": j.line.high,
            "p": j.line.p,
            "p_valid": j.p_valid,
            "q": j.q,
            "share": j.line.share,
            "monitor": j.line.monitor,
            "fault_group": j.line.fault_group,
            "verdict": j.verdict,
            "look": j.look,
            "judged_at": j.judged_at,
        }
        for j in judged
    ]
    with conn.cursor() as cursor:
        cursor.executemany(RECORD_JUDGED, rows)


LOAD_PROPOSED = """
    SELECT fault_group, capa_code FROM firmware_regression_proposal
    WHERE device_model_id = %s AND version = %s AND is_simulated = %s ORDER BY fault_group
"""


def load_proposed(conn: Connection, release: Release) -> Mapping[str, str]:
    """By fault group the CAPA that this release led to."""
    key = (release.device_model_id, release.version, release.is_simulated)
    return dict(conn.execute(LOAD_PROPOSED, key).fetchall())


RECORD_PROPOSED = """
    INSERT INTO firmware_regression_proposal (device_model_id, version, is_simulated, fault_group, capa_code,
        proposed_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


def record_proposed(conn: Connection, release: Release, fault_group: str, code: str, now: datetime) -> None:
    """From now on this release is not proposed again for the fault group."""
    key = (release.device_model_id, release.version, release.is_simulated)
    conn.execute(RECORD_PROPOSED, (*key, fault_group, code, now))
