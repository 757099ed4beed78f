"""How much is kept: bytes on the disk, the oldest that is there, and which sensors are of which class."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from domain.profile import Retention
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class SensorAmount:
    """The series of one class of sensors."""

    class_: str
    series: int
    readings_a_day: float  # as their profiles say that they report; without `unknown`
    unknown: int  # of these series, those whose profile does not say how often they report
    kept_from: datetime  # no reading of the class is older


# The class of a sensor is that of its model's current profile; a sensor that has left the profile is standard.
LOAD_SENSOR_AMOUNTS = """
    WITH sensor AS MATERIALIZED (
        SELECT m.id AS device_model_id, s ->> 'key' AS key, coalesce(s ->> 'retention', 'standard') AS class,
            (s ->> 'interval_s')::float8 AS interval_s
        FROM device_model m
        JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
        CROSS JOIN jsonb_array_elements(p.body -> 'sensors') AS s
    )
    SELECT coalesce(sensor.class, 'standard') AS class_, count(*) AS series,
        coalesce(sum(86400 / sensor.interval_s), 0)::float8 AS readings_a_day,
        count(*) FILTER (WHERE sensor.interval_s IS NULL) AS unknown,
        min(greatest(coalesce(series.raw_from, r.raw_from), r.raw_from)) AS kept_from
    FROM series
    JOIN device d ON d.id = series.device_id
    LEFT JOIN sensor ON sensor.device_model_id = d.device_model_id AND sensor.key = series.sensor
    CROSS JOIN rollup_state r
    GROUP BY 1
"""


def load_sensor_amounts(conn: Connection) -> dict[Retention, SensorAmount]:
    """The sensors of each class that has any."""
    with conn.cursor(row_factory=class_row(SensorAmount)) as cursor:
        return {Retention(row.class_): row for row in cursor.execute(LOAD_SENSOR_AMOUNTS)}


@dataclass(frozen=True, slots=True)
class KeptAmounts:
    """Bytes on the disk, indexes included, and the oldest day that is there; None: there is nothing."""

    readings_bytes: int
    minute_bytes: int
    hour_bytes: int
    day_bytes: int
    score_bytes: int  # scores, rejections, online and offline reports, data quality by device
    record_bytes: int  # devices' own alarms, the ledger
    outbox_bytes: int
    run_bytes: int  # runs of the lab, trainings and backtests
    readings_from: date | None
    minutes_from: date | None  # roll-ups of before were removed
    hours_from: date | None
    records_from: date | None
    simulated_from: date | None
    runs_from: date | None  # of those that may go


LOAD_AMOUNTS = """
    SELECT find_table_size('reading') AS readings_bytes, find_table_size('reading_1m') AS minute_bytes,
        find_table_size('reading_1h') AS hour_bytes, find_table_size('reading_1d') AS day_bytes,
        (SELECT sum(find_table_size(name))::bigint FROM unnest(ARRAY['score_rollup', 'rejection', 'status_report',
            'data_quality_day', 'device_day']) AS name) AS score_bytes,
        (SELECT sum(find_table_size(name))::bigint FROM unnest(ARRAY['device_event', 'ingest_ledger']) AS name)
            AS record_bytes,
        find_table_size('outbox') AS outbox_bytes,
        find_table_size('lab_run') + find_table_size('model_job') AS run_bytes,
        (find_readings_after('1970-01-01 00:00:00+00') AT TIME ZONE 'UTC')::date AS readings_from,
        nullif((r.minutes_from AT TIME ZONE 'UTC')::date, '1970-01-01') AS minutes_from,
        nullif((r.hours_from AT TIME ZONE 'UTC')::date, '1970-01-01') AS hours_from,
        least((SELECT min(day) FROM ingest_ledger),
            (SELECT (received_at AT TIME ZONE 'UTC')::date FROM device_event ORDER BY id LIMIT 1)) AS records_from,
        (SELECT (created_at AT TIME ZONE 'UTC')::date FROM outbox WHERE is_simulated ORDER BY id LIMIT 1)
            AS simulated_from,
        (SELECT (min(finished_at) AT TIME ZONE 'UTC')::date FROM ended_run) AS runs_from
    FROM rollup_state r
"""


def load_kept_amounts(conn: Connection) -> KeptAmounts:
    """What is there now; tables are measured, not counted."""
    with conn.cursor(row_factory=class_row(KeptAmounts)) as cursor:
        row = cursor.execute(LOAD_AMOUNTS).fetchone()
    assert row is not None
    return row
