"""What is kept how long, how much space it takes and what goes next; the API and the console show it."""

from dataclasses import dataclass
from datetime import date

from domain.profile import Retention
from domain.retention import READINGS, KeptClass, find_next_removal, share_space
from store.kept_amounts import KeptAmounts, SensorAmount, load_kept_amounts, load_sensor_amounts
from store.pool import Connection
from store.retention_classes import KeptRow, load_kept_classes

_SENSORS = {
    KeptClass.READINGS_SHORT: Retention.SHORT,
    KeptClass.READINGS_STANDARD: Retention.STANDARD,
    KeptClass.READINGS_LONG: Retention.LONG,
}


@dataclass(frozen=True, slots=True)
class KeptLine:
    """One class. Bytes of readings are the share of all readings that its sensors have by how often they report."""

    kept: KeptClass
    row: KeptRow
    bytes_: int | None
    is_estimate: bool
    series: int | None  # of readings alone
    unknown: int  # series of which nobody knows how often they report; they are in no share
    oldest: date | None
    next_removal: date | None


@dataclass(frozen=True, slots=True)
class KeptOverview:
    """Every class, and what is in none of them."""

    lines: list[KeptLine]
    amounts: KeptAmounts


def load_kept_overview(conn: Connection, today: date) -> KeptOverview:
    """What is there now; sizes are measured, nothing is counted row by row."""
    rows, amounts, sensors = load_kept_classes(conn), load_kept_amounts(conn), load_sensor_amounts(conn)
    shares = _share_readings(amounts, sensors, today)
    lines = []
    for kept, row in rows.items():
        sensor = sensors.get(_SENSORS[kept]) if kept in READINGS else None
        size, oldest = _find_amount(kept, amounts, sensor)
        lines.append(
            KeptLine(
                kept,
                row,
                shares[kept] if kept in READINGS else size,
                kept in READINGS,
                (0 if sensor is None else sensor.series) if kept in READINGS else None,
                0 if sensor is None else sensor.unknown,
                oldest,
                # Roll-ups go by the month, once all of it is old: their next removal is no day that could be named.
                None if kept in (KeptClass.ROLLUPS_MINUTE, KeptClass.ROLLUPS_HOUR) else _find_next(oldest, row),
            )
        )
    return KeptOverview(lines, amounts)


def _find_next(oldest: date | None, row: KeptRow) -> date | None:
    return find_next_removal(oldest, row.days)


def _find_oldest(amounts: KeptAmounts, sensor: SensorAmount | None) -> date | None:
    if sensor is None or amounts.readings_from is None:
        return None
    return max(amounts.readings_from, sensor.kept_from.date())


def _find_amount(kept: KeptClass, amounts: KeptAmounts, sensor: SensorAmount | None) -> tuple[int | None, date | None]:
    if kept in READINGS:
        return None, _find_oldest(amounts, sensor)
    return {
        KeptClass.ROLLUPS_MINUTE: (amounts.minute_bytes, amounts.minutes_from),
        KeptClass.ROLLUPS_HOUR: (amounts.hour_bytes, amounts.hours_from),
        KeptClass.RECORDS: (amounts.record_bytes, amounts.records_from),
        KeptClass.SIMULATED_EVENTS: (amounts.outbox_bytes, amounts.simulated_from),
        KeptClass.RUNS: (amounts.run_bytes, amounts.runs_from),
    }[kept]


def _share_readings(
    amounts: KeptAmounts, sensors: dict[Retention, SensorAmount], today: date
) -> dict[KeptClass, int | None]:
    weights = []
    for kept in READINGS:
        sensor = sensors.get(_SENSORS[kept])
        oldest = _find_oldest(amounts, sensor)
        days = 0 if oldest is None else (today - oldest).days + 1
        weights.append(0.0 if sensor is None else sensor.readings_a_day * max(days, 0))
    return dict(zip(READINGS, share_space(amounts.readings_bytes, weights), strict=True))
