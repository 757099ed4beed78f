"""What devices run and ran, from their reports: histories, versions at an instant, and how many run what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.firmware import FirmwareChange, FirmwareEntry, RunningVersion, VersionSource
from domain.report import FirmwareState
from store.pool import Connection

LOAD_REPORTS = """
    SELECT id, observed_at, received_at, component, version, state, previous, error
    FROM firmware_report WHERE device_id = %(device_id)s
    ORDER BY observed_at DESC, id DESC LIMIT %(limit)s
"""


def load_firmware_reports(conn: Connection, device_id: int, *, limit: int = 1_000) -> list[FirmwareEntry]:
    """The newest reports of the device by its own time, newest first."""
    return [
        FirmwareEntry(id_, observed, received, component, version, FirmwareState(state), previous, error)
        for id_, observed, received, component, version, state, previous, error in conn.execute(
            LOAD_REPORTS, {"device_id": device_id, "limit": limit}
        )
    ]


LOAD_CHANGES = """
    SELECT at, substr(field, 10) AS component, before, after FROM device_history
    WHERE device_id = %(device_id)s AND field LIKE 'firmware:%%' AND after IS NOT NULL
        AND at BETWEEN %(since)s AND %(until)s
    ORDER BY at DESC, id DESC LIMIT %(limit)s
"""


def load_firmware_changes(
    conn: Connection, device_id: int, since: datetime, until: datetime, *, limit: int = 100
) -> list[FirmwareChange]:
    """The newest changes of version of the device in that time, oldest first; its first word of all is one of them."""
    values = {"device_id": device_id, "since": since, "until": until, "limit": limit}
    with conn.cursor(row_factory=class_row(FirmwareChange)) as cursor:
        return cursor.execute(LOAD_CHANGES, values).fetchall()[::-1]


LOAD_RUNNING = "SELECT component, version, since, source FROM firmware_at(%s, %s)"


def load_firmware_at(conn: Connection, serial: str, at: datetime) -> list[RunningVersion]:
    """What each component of the device ran at that instant, by component: the newest report of the device's own time
    up to then; before the first one what that named as `previous`; else what the master data said."""
    rows = conn.execute(LOAD_RUNNING, (serial, at)).fetchall()
    return [
        RunningVersion(component, version, since, VersionSource(source)) for component, version, since, source in rows
    ]


LOAD_MAIN = """
    SELECT asked.device_id, asked.at, main_firmware_of(asked.device_id, asked.at)
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS asked (device_id, at)
"""


def load_main_firmware(conn: Connection, asked: Sequence[tuple[int, datetime]]) -> dict[tuple[int, datetime], str]:
    """The version of the main component of each device at its instant; "" where nothing is known."""
    if not asked:
        return {}
    rows = conn.execute(LOAD_MAIN, ([device for device, _ in asked], [at for _, at in asked])).fetchall()
    return {(device, at): version for device, at, version in rows}


@dataclass(frozen=True, slots=True)
class FirmwareCount:
    """How many devices of a model run a version of the main component now; decommissioned ones are left out."""

    model: str
    version: str  # "": nobody knows
    devices: int
    first_updated_at: datetime | None  # the earliest that one of them came to it, by a report


COUNT_FIRMWARE = """
    SELECT m.key AS model, d.firmware AS version, count(*)::integer AS devices, min(h.at) AS first_updated_at
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN LATERAL (
        SELECT max(at) AS at FROM device_history
        WHERE device_id = d.id AND field = 'firmware:main' AND after = d.firmware
    ) h ON true
    WHERE d.lifecycle <> 'DECOMMISSIONED' AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
        AND (%(model)s::text IS NULL OR m.key = %(model)s)
    GROUP BY m.key, d.firmware ORDER BY m.key, count(*) DESC, d.firmware
"""


def load_firmware_counts(conn: Connection, *, customer_id: int | None, model: str | None = None) -> list[FirmwareCount]:
    """Every version that runs, by model, the most frequent first; `customer_id` is the caller's own."""
    with conn.cursor(row_factory=class_row(FirmwareCount)) as cursor:
        return cursor.execute(COUNT_FIRMWARE, {"customer_id": customer_id, "model": model}).fetchall()
