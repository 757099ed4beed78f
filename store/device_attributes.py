"""Attributes of devices: the newest value of each, and only so many of one device."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.clock import from_micros
from domain.report import MAX_ATTRIBUTES, AttributeReport
from store.pool import Connection

# Sorted by key, so that two writers of one device wait for each other and never cross. Of two values of one time the
# greater text stays, whichever came first. A new key finds room or is left out.
RECORD_ATTRIBUTES = """
    WITH said AS (
        SELECT key, value::jsonb AS value FROM unnest(%(keys)s::text[], %(values)s::text[]) AS said (key, value)
    ), known AS (
        SELECT key FROM device_attribute WHERE device_id = %(device_id)s
    ), new AS (
        SELECT key, row_number() OVER (ORDER BY key) AS place FROM said WHERE key NOT IN (SELECT key FROM known)
    ), refused AS (
        SELECT key FROM new WHERE place + (SELECT count(*) FROM known) > %(most)s
    ), recorded AS (
        INSERT INTO device_attribute AS kept (device_id, key, value, observed_at)
        SELECT %(device_id)s, key, value, %(observed_at)s FROM said WHERE key NOT IN (SELECT key FROM refused)
        ORDER BY key
        ON CONFLICT (device_id, key) DO UPDATE SET value = excluded.value, observed_at = excluded.observed_at
        WHERE (kept.observed_at, kept.value::text) < (excluded.observed_at, excluded.value::text)
    )
    SELECT key FROM refused ORDER BY key
"""


def record_attributes(conn: Connection, report: AttributeReport) -> list[str]:
    """Stores what is newer than what is known, and gives the keys for which the device has no room left.

    Two writers that fill the last room of one device at the same time may both find it.
    """
    values = {
        "device_id": report.device_id,
        "observed_at": from_micros(report.observed_us),
        "keys": list(report.attributes),
        "values": [json.dumps(value) for value in report.attributes.values()],
        "most": MAX_ATTRIBUTES,
    }
    return [str(key) for (key,) in conn.execute(RECORD_ATTRIBUTES, values)]


@dataclass(frozen=True, slots=True)
class DeviceAttribute:
    """One attribute as the device reported it last."""

    key: str
    value: Any
    observed_at: datetime


LOAD_ATTRIBUTES = "SELECT key, value, observed_at FROM device_attribute WHERE device_id = %s ORDER BY key"


def load_attributes(conn: Connection, device_id: int) -> Sequence[DeviceAttribute]:
    """All attributes of a device, by key."""
    with conn.cursor(row_factory=class_row(DeviceAttribute)) as rows:
        return rows.execute(LOAD_ATTRIBUTES, (device_id,)).fetchall()
