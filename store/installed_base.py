"""Customers, sites, gateways and devices, brought in as rows: each is made where new and mended where it differs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.audit import Actor
from domain.audit_device import devices_imported
from domain.installed_base import InstalledDevice, LineProblem
from domain.udi import normalise_udi
from store.audit import record_audit
from store.master_references import lock_master_data
from store.pool import Connection
from store.rejection_replays import request_replays_of_serials


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do. `problems` lines were left out."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[LineProblem] = field(default_factory=list)


# An empty cell leaves what is known; what is new and not named is called by its code, a hospital, on UTC.
UPSERT_CUSTOMER = """
    INSERT INTO customer AS c (code, name, type, region, is_simulated)
    VALUES (%(ref)s, coalesce(nullif(%(name)s, ''), %(ref)s), coalesce(nullif(%(type)s, ''), 'HOSPITAL'), %(region)s,
        %(sim)s)
    ON CONFLICT (code) DO UPDATE SET
        name = coalesce(nullif(%(name)s, ''), c.name),
        type = coalesce(nullif(%(type)s, ''), c.type),
        region = coalesce(nullif(%(region)s, ''), c.region),
        row_version = c.row_version + 1, updated_at = now()
    WHERE (c.name, c.type, c.region)
        IS DISTINCT FROM (coalesce(nullif(%(name)s, ''), c.name), coalesce(nullif(%(type)s, ''), c.type),
            coalesce(nullif(%(region)s, ''), c.region))
"""
UPSERT_SITE = """
    INSERT INTO site AS s (customer_id, code, name, time_zone, region, is_simulated)
    SELECT c.id, %(ref)s, coalesce(nullif(%(name)s, ''), %(ref)s), coalesce(nullif(%(zone)s, ''), 'UTC'), %(region)s,
        %(sim)s
    FROM customer c WHERE c.code = %(customer)s
    ON CONFLICT (code) DO UPDATE SET
        name = coalesce(nullif(%(name)s, ''), s.name),
        time_zone = coalesce(nullif(%(zone)s, ''), s.time_zone),
        region = coalesce(nullif(%(region)s, ''), s.region),
        customer_id = excluded.customer_id,
        row_version = s.row_version + 1, updated_at = now()
    WHERE (s.name, s.time_zone, s.region, s.customer_id)
        IS DISTINCT FROM (coalesce(nullif(%(name)s, ''), s.name), coalesce(nullif(%(zone)s, ''), s.time_zone),
            coalesce(nullif(%(region)s, ''), s.region), excluded.customer_id)
"""
UPSERT_GATEWAY = """
    INSERT INTO gateway AS g (name, site_id, is_simulated)
    VALUES (%(ref)s, (SELECT id FROM site WHERE code = %(site)s), %(sim)s)
    ON CONFLICT (name) DO UPDATE SET site_id = excluded.site_id
    WHERE excluded.site_id IS NOT NULL AND g.site_id IS DISTINCT FROM excluded.site_id
"""
# Firmware is what the device reports, once it has reported any.
UPSERT_DEVICE = """
    INSERT INTO device AS d (device_model_id, serial, lot, udi, site_id, gateway_id, made_on, installed_on,
        warranty_end, calibration_due, firmware, region, is_simulated, shard)
    SELECT m.id, %(serial)s, %(lot)s, %(udi)s, s.id, g.id, %(made_on)s, %(installed_on)s, %(warranty_end)s,
        %(calibration_due)s, %(firmware)s, %(region)s, %(sim)s,
        (hashtext(%(serial)s) & 2147483647) %% (SELECT shard_count FROM installation)
    FROM device_model m
    LEFT JOIN site s ON s.code = %(site)s
    LEFT JOIN gateway g ON g.name = %(gateway)s
    WHERE m.key = %(model)s
    ON CONFLICT (serial) DO UPDATE SET
        device_model_id = excluded.device_model_id,
        lot = coalesce(nullif(excluded.lot, ''), d.lot),
        udi = coalesce(nullif(excluded.udi, ''), d.udi),
        site_id = coalesce(excluded.site_id, d.site_id),
        gateway_id = coalesce(excluded.gateway_id, d.gateway_id),
        made_on = coalesce(excluded.made_on, d.made_on),
        installed_on = coalesce(excluded.installed_on, d.installed_on),
        warranty_end = coalesce(excluded.warranty_end, d.warranty_end),
        calibration_due = coalesce(excluded.calibration_due, d.calibration_due),
        firmware = CASE WHEN d.firmware = '' THEN excluded.firmware ELSE d.firmware END,
        region = coalesce(nullif(excluded.region, ''), d.region),
        row_version = d.row_version + 1, updated_at = now()
    WHERE (d.device_model_id, d.lot, d.udi, d.site_id, d.gateway_id, d.made_on, d.installed_on, d.warranty_end,
            d.calibration_due, d.region)
        IS DISTINCT FROM (excluded.device_model_id, coalesce(nullif(excluded.lot, ''), d.lot),
            coalesce(nullif(excluded.udi, ''), d.udi), coalesce(excluded.site_id, d.site_id),
            coalesce(excluded.gateway_id, d.gateway_id), coalesce(excluded.made_on, d.made_on),
            coalesce(excluded.installed_on, d.installed_on), coalesce(excluded.warranty_end, d.warranty_end),
            coalesce(excluded.calibration_due, d.calibration_due), coalesce(nullif(excluded.region, ''), d.region))
    RETURNING d.id, d.row_version
"""
RECORD_SERIES_OF_DEVICES = """
    INSERT INTO series (device_id, sensor)
    SELECT d.id, sensor ->> 'key'
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    CROSS JOIN jsonb_array_elements(p.body -> 'sensors') AS sensor
    WHERE d.id = ANY(%s)
    ON CONFLICT DO NOTHING
"""
LOAD_MODEL_KEYS = "SELECT key FROM device_model"


def record_installed_base(
    conn: Connection, devices: Sequence[InstalledDevice], *, actor: str, role: str, lines: Sequence[int] | None = None
) -> ImportReport:
    """Makes or mends every device with its site, customer and gateway; one that names an unknown model is a problem.

    `lines` are the line numbers of the devices, for the report (1, 2, ... by default). The same rows again change
    nothing.
    """
    report = ImportReport()
    models = {key for (key,) in conn.execute(LOAD_MODEL_KEYS)}
    lock_master_data(conn)
    kept = _load_kept(conn, devices)
    usable: list[InstalledDevice] = []
    for place, device in enumerate(devices):
        line = lines[place] if lines is not None else place + 1
        problem = _find_kept_problem(device, kept)
        if device.model not in models:
            known = ", ".join(sorted(models)) or "none; apply a profile first"
            report.problems.append(LineProblem(line, "model", f"{device.model!r} is not known (known: {known})"))
        elif problem is not None:
            report.problems.append(LineProblem(line, *problem))
        else:
            usable.append(device)
    _record_surroundings(conn, usable)
    touched: list[int] = []
    created: list[str] = []
    for device in usable:
        row = conn.execute(UPSERT_DEVICE, _device_parameters(device)).fetchone()
        if row is None:
            report.unchanged += 1
            continue
        touched.append(row[0])
        if row[1] == 1:
            report.created += 1
            created.append(device.serial)
        else:
            report.changed += 1
    if touched:
        conn.execute(RECORD_SERIES_OF_DEVICES, (touched,))
        summary: dict[str, object] = {
            "created": report.created,
            "changed": report.changed,
            "serials": [d.serial for d in usable][:1000],
        }
        replays = request_replays_of_serials(conn, actor, created)
        if replays:
            summary["replays_requested"] = replays  # what they had sent before anybody knew them
        serial = None if len(touched) > 1 else usable[0].serial
        record_audit(conn, Actor(actor, role, "device.register"), devices_imported(serial, summary))
    return report


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file does not change: UDI and owner of known devices, and whose a site with devices is."""

    udis: dict[str, str]
    owners: dict[str, str]  # serial -> customer
    sites: dict[str, str]  # site with devices -> customer


LOAD_KEPT = """
    SELECT d.serial, d.udi, c.code FROM device d LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id WHERE d.serial = ANY (%s)
"""
LOAD_KEPT_SITES = """
    SELECT s.code, c.code FROM site s JOIN customer c ON c.id = s.customer_id
    WHERE s.code = ANY (%s) AND EXISTS (SELECT FROM device d WHERE d.site_id = s.id)
"""
_TWO_PEOPLE = "two people change it, by an approval request of kind key_field_change"


def _load_kept(conn: Connection, devices: Sequence[InstalledDevice]) -> _Kept:
    known = conn.execute(LOAD_KEPT, ([device.serial for device in devices],)).fetchall()
    sites = conn.execute(LOAD_KEPT_SITES, (sorted({device.site_ref for device in devices}),)).fetchall()
    udis = {serial: normalise_udi(udi) for serial, udi, _ in known if udi}
    return _Kept(udis, {serial: owner for serial, _, owner in known if owner is not None}, dict(sites))


def _find_kept_problem(device: InstalledDevice, kept: _Kept) -> tuple[str, str] | None:
    udi = kept.udis.get(device.serial)
    if udi is not None and device.udi and normalise_udi(device.udi) != udi:
        return "udi", f"is {udi}; {_TWO_PEOPLE}"
    if not device.site_ref:
        return None
    owner = kept.owners.get(device.serial, device.customer_ref)
    if device.customer_ref != owner:
        return "customer_ref", f"the device is {owner}'s; {_TWO_PEOPLE}"
    of_site = kept.sites.get(device.site_ref, device.customer_ref)
    if device.customer_ref != of_site:
        return "site_ref", f"{device.site_ref} is {of_site}'s, and devices stand there"
    return None


def _record_surroundings(conn: Connection, devices: Sequence[InstalledDevice]) -> None:
    customers: dict[str, dict[str, object]] = {}
    sites: dict[str, dict[str, object]] = {}
    gateways: dict[str, dict[str, object]] = {}
    for d in devices:
        _say(customers, d.customer_ref, name=d.customer_name, type=d.customer_type, region=d.region, sim=d.is_simulated)
        _say(
            sites,
            d.site_ref,
            name=d.site_name,
            zone=d.site_time_zone,
            region=d.region,
            customer=d.customer_ref,
            sim=d.is_simulated,
        )
        _say(gateways, d.gateway, site=d.site_ref, sim=d.is_simulated)
    with conn.cursor() as cursor:
        cursor.executemany(UPSERT_CUSTOMER, [{"ref": ref} | said for ref, said in customers.items()])
        cursor.executemany(UPSERT_SITE, [{"ref": ref} | said for ref, said in sites.items()])
        cursor.executemany(UPSERT_GATEWAY, [{"ref": ref} | said for ref, said in gateways.items()])


def _say(known: dict[str, dict[str, object]], ref: str, **said: object) -> None:
    """Adds what one line says of a customer, site or gateway: it wins over earlier lines where it is not empty."""
    if ref:
        known[ref] = known.get(ref, {}) | {key: value for key, value in said.items() if value != "" or ref not in known}


def _device_parameters(device: InstalledDevice) -> dict[str, object]:
    return {
        "serial": device.serial,
        "model": device.model,
        "lot": device.lot,
        "udi": device.udi,
        "site": device.site_ref or None,
        "gateway": device.gateway or None,
        "made_on": device.made_on,
        "installed_on": device.installed_on,
        "warranty_end": device.warranty_end,
        "calibration_due": device.calibration_due,
        "firmware": device.firmware,
        "region": device.region,
        "sim": device.is_simulated,
    }
