"""A customer at a glance: its contract, how its SLA was kept, and how each of its devices stands."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row, dict_row

from domain.breach import Severity
from domain.device_exception import DeviceStanding
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """One customer, and how many devices it has that are not decommissioned."""

    id: int
    code: str
    name: str
    type: str
    region: str
    status: str
    contacts: list[dict[str, object]]
    device_count: int
    is_simulated: bool


# A customer is listed with what it is itself, and wherever something of that sort is known of it.
LOAD_CUSTOMERS = """
    SELECT c.id, c.code, c.name, c.type, c.region, c.status, c.contacts, coalesce(n.devices, 0) AS device_count,
        c.is_simulated
    FROM customer c LEFT JOIN (
        SELECT s.customer_id, count(*)::integer AS devices FROM device d JOIN site s ON s.id = d.site_id
        WHERE d.is_simulated = %(simulated)s AND d.lifecycle <> 'DECOMMISSIONED' GROUP BY s.customer_id
    ) n ON n.customer_id = c.id
    WHERE (c.is_simulated = %(simulated)s OR n.devices > 0 OR c.id = ANY (%(ids)s))
        AND (%(customer_id)s::bigint IS NULL OR c.id = %(customer_id)s)
        AND (%(region)s = '' OR c.region = %(region)s)
"""


def load_customer_lines(
    conn: Connection, *, is_simulated: bool, ids: list[int], customer_id: int | None, region: str = ""
) -> list[CustomerLine]:
    """The customers whose records are real, or simulated, those of `ids` in any case; of the caller's own alone."""
    values = {"simulated": is_simulated, "ids": ids, "customer_id": customer_id, "region": region}
    with conn.cursor(row_factory=class_row(CustomerLine)) as cursor:
        return cursor.execute(LOAD_CUSTOMERS, values, prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class ContractLine:
    """The contract that counts: the one in force that lasts longest, else the one that was in force last."""

    code: str
    coverage: str
    status: str
    starts_on: date
    ends_on: date
    remind_days: int
    sla_policy: str | None
    is_current: bool
    covers_all: bool  # devices of the customer
    follows: str | None  # code of a contract that lasts longer


LOAD_CONTRACT = """
    SELECT t.code, t.coverage, t.status, t.starts_on, t.ends_on, t.remind_days, p.code AS sla_policy, t.covers_all,
        t.status = 'ACTIVE' AND %(today)s BETWEEN t.starts_on AND t.ends_on AS is_current,
        (SELECT n.code FROM service_contract n WHERE n.customer_id = t.customer_id
            AND n.status IN ('DRAFT', 'ACTIVE') AND n.ends_on > t.ends_on
            AND (%(device_id)s::bigint IS NULL OR contract_covers(n, %(device_id)s))
            ORDER BY n.ends_on DESC, n.code LIMIT 1) AS follows
    FROM service_contract t LEFT JOIN sla_policy p ON p.id = t.sla_policy_id
    WHERE t.customer_id = %(customer_id)s AND t.status IN ('ACTIVE', 'EXPIRED', 'TERMINATED')
        AND t.starts_on <= %(today)s AND (%(device_id)s::bigint IS NULL OR contract_covers(t, %(device_id)s))
    ORDER BY is_current DESC, t.ends_on DESC, t.code LIMIT 1
"""


def load_contract_line(
    conn: Connection, customer_id: int, today: date, *, device_id: int | None = None
) -> ContractLine | None:
    """The customer's contract that counts on that day, of those that cover the device if one is named; None: none has
    begun.
    """
    values = {"customer_id": customer_id, "today": today, "device_id": device_id}
    with conn.cursor(row_factory=class_row(ContractLine)) as cursor:
        return cursor.execute(LOAD_CONTRACT, values).fetchone()


@dataclass(frozen=True, slots=True)
class SlaCount:
    """How many clocks of one kind ended in some time, waived ones left out."""

    clock: str
    met: int
    breached: int


LOAD_SLA_COUNTS = """
    SELECT k.clock, count(*) FILTER (WHERE k.state = 'MET')::integer AS met,
        count(*) FILTER (WHERE k.state = 'BREACHED')::integer AS breached
    FROM sla_clock k JOIN work_order w ON w.id = k.work_order_id
    WHERE w.customer_id = %(customer_id)s AND w.is_simulated = %(simulated)s AND k.waived_at IS NULL
        AND ((k.state = 'MET' AND k.met_at >= %(since)s) OR (k.state = 'BREACHED' AND k.breached_at >= %(since)s))
    GROUP BY k.clock ORDER BY k.clock
"""


def load_sla_counts(conn: Connection, customer_id: int, since: datetime, *, is_simulated: bool) -> list[SlaCount]:
    """The clocks of the customer's orders that were met, or whose time ran out, since then."""
    values = {"customer_id": customer_id, "since": since, "simulated": is_simulated}
    with conn.cursor(row_factory=class_row(SlaCount)) as cursor:
        return cursor.execute(LOAD_SLA_COUNTS, values).fetchall()


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device of the customer: where it is, and how it stands."""

    serial: str
    model: str
    site: str
    since: datetime | None  # since when it is connected as it is
    standing: DeviceStanding


# The day that lasts, as far as anything was to be expected of it, else the one before; as in store.devices.
LOAD_STANDINGS = """
    SELECT d.serial, m.key AS model, s.code AS site, d.connectivity_since, d.lifecycle, d.connectivity,
        d.last_seen_at IS NOT NULL AS has_reported, d.calibration_due, d.warranty_end,
        NOT EXISTS (SELECT FROM unscored_monitor u WHERE u.device_id = d.id) AS is_scored,
        q.completeness, q.least_completeness,
        (SELECT b.severity FROM breach b WHERE b.device_id = d.id AND b.state = 'ACTIVE'
            ORDER BY array_position(ARRAY['CRITICAL', 'MAJOR', 'MINOR', 'INFO'], b.severity) LIMIT 1) AS worst,
        (%(now)s::timestamptz AT TIME ZONE s.time_zone)::date AS today
    FROM site s JOIN device d ON d.site_id = s.id JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN LATERAL (
        SELECT completeness, least_completeness FROM data_quality_day
        WHERE device_id = d.id AND completeness IS NOT NULL
            AND day >= (%(now)s::timestamptz AT TIME ZONE 'UTC')::date - 1
        ORDER BY day DESC LIMIT 1
    ) q ON true
    WHERE s.customer_id = %(customer_id)s AND d.is_simulated = %(simulated)s AND d.lifecycle <> 'DECOMMISSIONED'
    ORDER BY d.serial COLLATE "C"
"""


def load_device_standings(conn: Connection, customer_id: int, now: datetime, *, is_simulated: bool) -> list[DeviceLine]:
    """Every device of the customer that is not decommissioned, by serial."""
    values = {"customer_id": customer_id, "now": now, "simulated": is_simulated}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_STANDINGS, values, prepare=False).fetchall()
    return [
        DeviceLine(
            row["serial"],
            row["model"],
            row["site"],
            row["connectivity_since"],
            DeviceStanding(
                worst=None if row["worst"] is None else Severity(row["worst"]),
                lifecycle=row["lifecycle"],
                connectivity=row["connectivity"],
                has_reported=row["has_reported"],
                is_scored=row["is_scored"],
                completeness=row["completeness"],
                least_completeness=1.0 if row["least_completeness"] is None else row["least_completeness"],
                calibration_due=row["calibration_due"],
                warranty_end=row["warranty_end"],
                today=row["today"],
            ),
        )
        for row in rows
    ]
