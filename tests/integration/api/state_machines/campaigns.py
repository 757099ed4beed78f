"""Firmware that campaigns bring to devices, made ready by those who may."""

from datetime import UTC, datetime
from typing import Any

from service_link.field_actions import follow_round
from store.pool import Connection
from tests.integration.api.state_machines.driver import Driver
from tests.integration.api.state_machines.people import SIGNED
from tests.support.fleet import MODEL


def release(driver: Driver, version: str) -> None:
    """Firmware that two people approved, and that may be installed."""
    path = f"/firmware/{MODEL}/{version}"
    send(driver, "eva", "/firmware", {"model": MODEL, "version": version, "sha256": "ab" * 32})
    for row_version, (name, to) in enumerate((("ada", "APPROVED"), ("bob", "APPROVED"), ("ada", "RELEASED")), 1):
        send(driver, name, f"{path}/transitions", {"to": to, **SIGNED}, row_version)


def end_other_campaigns(driver: Driver) -> None:
    """A device is in one campaign at a time: those of earlier lives make room."""
    left = driver.conn.execute(
        "SELECT code, row_version FROM field_action WHERE kind = 'FIRMWARE'"
        " AND state IN ('APPROVED', 'NOTIFYING', 'EXECUTING')"
    ).fetchall()
    for code, row_version in left:
        body = {"to": "CANCELLED", "reason": "another one comes", **SIGNED}
        send(driver, "ada", f"/field-actions/{code}/transitions", body, row_version)


def send(driver: Driver, who: str, path: str, body: dict[str, Any], row_version: int = 0) -> None:
    """What is to succeed."""
    headers = {**driver.people[who].headers, "If-Match": f'"{row_version}"'}
    answer = driver.api.post(path, headers=headers, json=body)
    assert answer.is_success, answer.text


def report(conn: Connection, serial: str, version: str) -> None:
    """The device says that it runs the version now, and the machine looks at it."""
    conn.execute(
        "INSERT INTO firmware_report (device_id, observed_at, received_at, component, version, state)"
        " SELECT id, clock_timestamp(), clock_timestamp(), 'main', %s, 'UPDATED' FROM device WHERE serial = %s",
        (version, serial),
    )
    follow_round(conn, datetime.now(UTC))
