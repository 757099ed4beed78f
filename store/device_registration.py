"""Registering one device: new rows only. What is known of a customer, a site or a gateway is never overwritten here."""

from dataclasses import asdict
from enum import StrEnum

from domain.audit import Actor
from domain.audit_device import device_registered
from domain.installed_base import InstalledDevice
from store.audit import record_audit
from store.master_references import lock_master_data
from store.pool import Connection
from store.rejection_replays import request_replays_of_serials


class RegistrationRefusal(StrEnum):
    """Why a device could not be registered; nothing was written."""

    SERIAL_TAKEN = "serial_taken"
    MODEL_UNKNOWN = "model_unknown"
    SITE_OF_ANOTHER = "site_of_another"  # the site exists and belongs to another customer


INSERT_CUSTOMER = """
    INSERT INTO customer (code, name, type, region, is_simulated)
    VALUES (%(customer_ref)s, %(customer_name)s, %(customer_type)s, %(region)s, %(is_simulated)s)
    ON CONFLICT (code) DO NOTHING
"""
INSERT_SITE = """
    INSERT INTO site (customer_id, code, name, time_zone, region, is_simulated)
    SELECT c.id, %(site_ref)s, %(site_name)s, %(site_time_zone)s, %(region)s, %(is_simulated)s
    FROM customer c WHERE c.code = %(customer_ref)s
    ON CONFLICT (code) DO NOTHING
"""
LOAD_SITE_OWNER = "SELECT c.code FROM site s JOIN customer c ON c.id = s.customer_id WHERE s.code = %(site_ref)s"
INSERT_GATEWAY = """
    INSERT INTO gateway (name, site_id, is_simulated)
    VALUES (%(gateway)s, (SELECT id FROM site WHERE code = %(site_ref)s), %(is_simulated)s)
    ON CONFLICT (name) DO NOTHING
"""
LOAD_MODEL = "SELECT id FROM device_model WHERE key = %(model)s"
INSERT_DEVICE = """
    INSERT INTO device (device_model_id, serial, lot, udi, site_id, gateway_id, made_on, installed_on, warranty_end,
        calibration_due, firmware, region, is_simulated, shard)
    SELECT m.id, %(serial)s, %(lot)s, %(udi)s, (SELECT id FROM site WHERE code = %(site_ref)s),
        (SELECT id FROM gateway WHERE name = %(gateway)s), %(made_on)s, %(installed_on)s, %(warranty_end)s,
        %(calibration_due)s, %(firmware)s, %(region)s, %(is_simulated)s,
        (hashtext(%(serial)s) & 2147483647) %% i.shard_count
    FROM device_model m CROSS JOIN installation i WHERE m.key = %(model)s
    ON CONFLICT (serial) DO NOTHING RETURNING id
"""
INSERT_SERIES = """
    INSERT INTO series (device_id, sensor)
    SELECT %(device_id)s, sensor ->> 'key'
    FROM device_model m
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    CROSS JOIN jsonb_array_elements(p.body -> 'sensors') AS sensor
    WHERE m.key = %(model)s
"""


def register_device(conn: Connection, actor: Actor, device: InstalledDevice) -> RegistrationRefusal | None:
    """Makes the device with its series, and customer, site and gateway where they are new; None, or why not.

    After a refusal the caller rolls the transaction back.
    """
    lock_master_data(conn)
    values = asdict(device)
    if conn.execute(LOAD_MODEL, values).fetchone() is None:
        return RegistrationRefusal.MODEL_UNKNOWN
    if device.customer_ref:
        conn.execute(INSERT_CUSTOMER, values)
    if device.site_ref:
        conn.execute(INSERT_SITE, values)
        owner = conn.execute(LOAD_SITE_OWNER, values).fetchone()
        if owner is None or owner[0] != device.customer_ref:
            return RegistrationRefusal.SITE_OF_ANOTHER
    if device.gateway:
        conn.execute(INSERT_GATEWAY, values)
    row = conn.execute(INSERT_DEVICE, values).fetchone()
    if row is None:
        return RegistrationRefusal.SERIAL_TAKEN
    conn.execute(INSERT_SERIES, values | {"device_id": row[0]})
    after = {name: value for name, value in values.items() if value not in ("", None, False)}
    replays = request_replays_of_serials(conn, actor.name, [device.serial])
    if replays:
        after["replays_requested"] = replays  # what it had sent before anybody knew it
    record_audit(conn, actor, device_registered(device.serial, after))
    return None
