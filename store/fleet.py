"""The fleet by model, firmware and fault group: device-days, tickets of two periods, silence, CAPAs.

A ticket is what the key figure `tickets_per_1000_device_days` counts, and so is a device-day. The firmware is the one
that a device had then.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class FleetScope:
    """Two periods that follow each other, and whose records: a caller's own customer alone, one model alone."""

    before: datetime
    since: datetime
    until: datetime
    is_simulated: bool
    customer_id: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class FleetExposure:
    """Device-days of one model with one firmware in both periods, and how its devices stand now."""

    model: str
    firmware: str
    devices: int  # in the field at any time of the later period
    device_days: float
    device_days_before: float
    in_service: int  # now
    silent: int  # of these, STALE or OFFLINE


# Spells of a device do not overlap, so that their parts in a period add up.
LOAD_EXPOSURES = """
    WITH period (place, since, until) AS (
        VALUES (0, %(before)s::timestamptz, %(since)s::timestamptz), (1, %(since)s, %(until)s)
    ), part AS (
        SELECT s.device_model_id, w.firmware, p.place, s.device_id,
            date_part('epoch', least(s.until, w.until, p.until) - greatest(s.since, w.since, p.since)) / 86400 AS days
        FROM kpi_service_spell s JOIN kpi_firmware_spell w ON w.device_id = s.device_id CROSS JOIN period p
        WHERE s.is_simulated = %(is_simulated)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
            AND least(s.until, w.until, p.until) > greatest(s.since, w.since, p.since)
    ), exposure AS (
        SELECT device_model_id, firmware, (count(DISTINCT device_id) FILTER (WHERE place = 1))::integer AS devices,
            coalesce(sum(days) FILTER (WHERE place = 1), 0) AS device_days,
            coalesce(sum(days) FILTER (WHERE place = 0), 0) AS device_days_before
        FROM part GROUP BY device_model_id, firmware
    ), standing AS (
        SELECT d.device_model_id, d.firmware, count(*)::integer AS in_service,
            (count(*) FILTER (WHERE d.connectivity IN ('STALE', 'OFFLINE')))::integer AS silent
        FROM device d LEFT JOIN site s ON s.id = d.site_id
        WHERE d.lifecycle = 'IN_SERVICE' AND d.is_simulated = %(is_simulated)s
            AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
        GROUP BY d.device_model_id, d.firmware
    )
    SELECT m.key AS model, e.firmware, e.devices, e.device_days, e.device_days_before,
        coalesce(n.in_service, 0) AS in_service, coalesce(n.silent, 0) AS silent
    FROM exposure e JOIN device_model m ON m.id = e.device_model_id
    LEFT JOIN standing n ON n.device_model_id = e.device_model_id AND n.firmware = e.firmware
    WHERE %(model)s::text IS NULL OR m.key = %(model)s
    ORDER BY m.key, e.firmware
"""


def load_fleet_exposures(conn: Connection, scope: FleetScope) -> list[FleetExposure]:
    """Every model with every firmware that was in the field in one of the periods."""
    # Compiling a statement that runs for some milliseconds takes longer than running it.
    conn.execute("SELECT set_config('jit', 'off', true)")
    with conn.cursor(row_factory=class_row(FleetExposure)) as cursor:
        return cursor.execute(LOAD_EXPOSURES, _make_values(scope), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class FleetTickets:
    """Tickets of one model, firmware and fault group in both periods."""

    model: str
    firmware: str
    fault_group: str
    tickets: int
    tickets_before: int


LOAD_TICKETS = """
    SELECT m.key AS model, coalesce(fw.firmware, '') AS firmware, f.fault_group,
        (count(*) FILTER (WHERE f.at >= %(since)s))::integer AS tickets,
        (count(*) FILTER (WHERE f.at < %(since)s))::integer AS tickets_before
    FROM kpi_ticket f JOIN device_model m ON m.id = f.device_model_id
    LEFT JOIN kpi_firmware_spell fw ON fw.device_id = f.device_id AND fw.since <= f.began_at AND fw.until > f.began_at
    WHERE f.at >= %(before)s AND f.at < %(until)s AND f.is_simulated = %(is_simulated)s
        AND (%(customer_id)s::bigint IS NULL OR f.customer_id = %(customer_id)s)
        AND (%(model)s::text IS NULL OR m.key = %(model)s)
    GROUP BY m.key, fw.firmware, f.fault_group
    ORDER BY m.key, fw.firmware, f.fault_group
"""


def load_fleet_tickets(conn: Connection, scope: FleetScope) -> list[FleetTickets]:
    """The tickets of both periods."""
    with conn.cursor(row_factory=class_row(FleetTickets)) as cursor:
        return cursor.execute(LOAD_TICKETS, _make_values(scope), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class FleetCapa:
    """A CAPA that is neither rejected nor closed."""

    code: str
    state: str
    model: str
    scope_kind: str
    scope_value: str
    fault_group: str


LOAD_CAPAS = """
    SELECT q.code, q.state, m.key AS model, q.scope_kind, q.scope_value, q.fault_group
    FROM capa q JOIN device_model m ON m.id = q.device_model_id
    WHERE q.state NOT IN ('REJECTED', 'CLOSED') AND q.is_simulated = %(is_simulated)s
        AND q.scope_kind IN ('MODEL', 'FIRMWARE') AND (%(model)s::text IS NULL OR m.key = %(model)s)
    ORDER BY q.id
"""


def load_fleet_capas(conn: Connection, scope: FleetScope) -> list[FleetCapa]:
    """The live CAPAs of whole models and of firmware versions."""
    with conn.cursor(row_factory=class_row(FleetCapa)) as cursor:
        return cursor.execute(LOAD_CAPAS, _make_values(scope)).fetchall()


def _make_values(scope: FleetScope) -> dict[str, object]:
    return {name: getattr(scope, name) for name in FleetScope.__slots__}
