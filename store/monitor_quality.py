"""What became of the orders behind each monitor: outcomes, tickets, peaks of episodes; and what was judged of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ClosedEpisode:
    """A closed order behind which a monitor was, and the most extreme peak of that monitor's breaches of it."""

    device_model_id: int
    is_simulated: bool
    monitor: str
    profile_version: int
    work_order_id: int
    outcome: str
    largest: float
    smallest: float


LOAD_CLOSED_EPISODES = """
    SELECT d.device_model_id, w.is_simulated, b.monitor, max(b.profile_version) AS profile_version,
        w.id AS work_order_id, w.outcome, max(b.peak) AS largest, min(b.peak) AS smallest
    FROM work_order w
    JOIN work_order_breach wb ON wb.work_order_id = w.id
    JOIN breach b ON b.id = wb.breach_id AND b.device_id = w.device_id
    JOIN device d ON d.id = w.device_id
    WHERE w.state = 'CLOSED' AND w.outcome IS NOT NULL AND w.closed_at > %s
    GROUP BY d.device_model_id, w.is_simulated, b.monitor, w.id, w.outcome
    ORDER BY w.id
"""


def load_closed_episodes(conn: Connection, since: datetime) -> list[ClosedEpisode]:
    """Every monitor behind every order that was closed since then. Gateway and site orders are of no monitor alone."""
    with conn.cursor(row_factory=class_row(ClosedEpisode)) as cursor:
        return cursor.execute(LOAD_CLOSED_EPISODES, (since,)).fetchall()


COUNT_TICKETS = """
    SELECT d.device_model_id, w.is_simulated, b.monitor, count(DISTINCT w.id)::integer
    FROM work_order w JOIN work_order_breach wb ON wb.work_order_id = w.id
    JOIN breach b ON b.id = wb.breach_id AND b.device_id = w.device_id
    JOIN device d ON d.id = w.device_id
    WHERE w.source = 'AUTOMATIC' AND w.created_at > %s
    GROUP BY d.device_model_id, w.is_simulated, b.monitor
"""


def count_tickets(conn: Connection, since: datetime) -> dict[tuple[int, bool, str], int]:
    """Automatic orders opened since then, by device model, whether simulated, and monitor behind them."""
    return {(row[0], row[1], row[2]): row[3] for row in conn.execute(COUNT_TICKETS, (since,))}


COUNT_DEVICE_DAYS = """
    SELECT device_model_id, is_simulated, sum(greatest(extract(epoch FROM least(
            CASE WHEN lifecycle = 'DECOMMISSIONED' THEN lifecycle_since ELSE %(until)s END, %(until)s)
            - greatest(created_at, %(since)s)), 0))::float8 / 86400
    FROM device WHERE lifecycle <> 'REGISTERED' GROUP BY device_model_id, is_simulated
"""


def count_device_days(conn: Connection, since: datetime, until: datetime) -> dict[tuple[int, bool], float]:
    """Device-days of each model in that time, of devices that were known and in use."""
    rows = conn.execute(COUNT_DEVICE_DAYS, {"since": since, "until": until})
    return {(row[0], row[1]): row[2] for row in rows}


@dataclass(frozen=True, slots=True)
class MonitorQuality:
    """What is known of one monitor, or of all monitors of a rule together (`monitor` is empty then)."""

    device_model_id: int
    model: str
    is_simulated: bool
    rule: str
    monitor: str
    profile_version: int
    confirmed: int
    sensor_fault: int
    no_fault_found: int
    false_alarm: int
    precision_mean: float
    precision_low: float
    precision_high: float
    tickets: int
    device_days: float
    allowed_rate: float
    is_over_budget: bool
    judged_at: datetime
    lead_failures: int = 0  # confirmed failures of a year before which it had spoken
    lead_median_h: float | None = None


RECORD_QUALITY = """
    INSERT INTO monitor_quality (device_model_id, is_simulated, rule, monitor, profile_version, confirmed, sensor_fault,
        no_fault_found, false_alarm, precision_mean, precision_low, precision_high, tickets, device_days, allowed_rate,
        is_over_budget, judged_at, lead_failures, lead_median_h)
    VALUES (%(device_model_id)s, %(is_simulated)s, %(rule)s, %(monitor)s, %(profile_version)s, %(confirmed)s,
        %(sensor_fault)s, %(no_fault_found)s, %(false_alarm)s, %(precision_mean)s, %(precision_low)s,
        %(precision_high)s, %(tickets)s, %(device_days)s, %(allowed_rate)s, %(is_over_budget)s, %(judged_at)s,
        %(lead_failures)s, %(lead_median_h)s)
    ON CONFLICT (device_model_id, is_simulated, rule, monitor) DO UPDATE SET
        profile_version = excluded.profile_version, confirmed = excluded.confirmed,
        sensor_fault = excluded.sensor_fault, no_fault_found = excluded.no_fault_found,
        false_alarm = excluded.false_alarm, precision_mean = excluded.precision_mean,
        precision_low = excluded.precision_low, precision_high = excluded.precision_high, tickets = excluded.tickets,
        device_days = excluded.device_days, allowed_rate = excluded.allowed_rate,
        is_over_budget = excluded.is_over_budget, judged_at = excluded.judged_at,
        lead_failures = excluded.lead_failures, lead_median_h = excluded.lead_median_h
"""
# A monitor that has left the profile has no quality any more.
REMOVE_OTHERS = "DELETE FROM monitor_quality WHERE judged_at < %s"


def record_quality(conn: Connection, rows: Sequence[MonitorQuality], now: datetime) -> None:
    """These rows are all there is to say of monitors now."""
    columns = [name for name in MonitorQuality.__dataclass_fields__ if name != "model"]
    with conn.cursor() as cursor:
        cursor.executemany(RECORD_QUALITY, [{name: getattr(row, name) for name in columns} for row in rows])
    conn.execute(REMOVE_OTHERS, (now,))


LOAD_QUALITY = """
    SELECT q.device_model_id, m.key AS model, q.is_simulated, q.rule, q.monitor, q.profile_version, q.confirmed,
        q.sensor_fault, q.no_fault_found, q.false_alarm, q.precision_mean, q.precision_low, q.precision_high,
        q.tickets, q.device_days, q.allowed_rate, q.is_over_budget, q.judged_at,
        q.lead_failures, q.lead_median_h
    FROM monitor_quality q JOIN device_model m ON m.id = q.device_model_id
    WHERE %(model)s::text IS NULL OR m.key = %(model)s
    ORDER BY m.key, q.is_simulated, q.rule, q.monitor
"""


def load_quality(conn: Connection, *, model: str | None = None) -> list[MonitorQuality]:
    """What was judged last, by model, rule and monitor."""
    with conn.cursor(row_factory=class_row(MonitorQuality)) as cursor:
        return cursor.execute(LOAD_QUALITY, {"model": model}).fetchall()


LOAD_USEFUL = """
    SELECT confirmed + sensor_fault, confirmed + sensor_fault + no_fault_found + false_alarm FROM monitor_quality
    WHERE device_model_id = %s AND is_simulated = %s AND monitor = %s AND monitor <> ''
"""


def load_useful_orders(conn: Connection, device_model_id: int, monitor: str, *, is_simulated: bool) -> tuple[int, int]:
    """Of the closed orders behind a monitor how many found something to mend, and how many there are; (0, 0): none."""
    row = conn.execute(LOAD_USEFUL, (device_model_id, is_simulated, monitor)).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
