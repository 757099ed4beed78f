"""Firmware by REST: now, at a past moment, with its changes and updates; for those who may see the device."""

from datetime import UTC, datetime

from domain.clock import to_micros
from domain.report import FirmwareReport, FirmwareState
from domain.roles import Role
from store.pool import open_connection
from store.reports import record_firmware_report
from tests.support.http_api import Api


def _report(api: Api, *said: tuple[str, str, FirmwareState]) -> None:
    """(time of 2025-11-20, version, state) of T-0000, in order of arrival."""
    with open_connection(api.settings.database_url, application="ingest") as conn:
        row = conn.execute("SELECT id FROM device WHERE serial = 'T-0000'").fetchone()
        assert row is not None
        for clock, version, state in said:
            us = to_micros(datetime.fromisoformat(f"2025-11-20T{clock}:00+00:00"))
            received_us = to_micros(datetime(2026, 11, 21, tzinfo=UTC))
            record_firmware_report(conn, FirmwareReport(row[0], us, received_us, "main", version, state, None, None))


def test_firmware_now_and_at_any_past_moment_with_changes_and_updates(api: Api) -> None:
    _report(
        api,
        ("09:00", "1.0.0", FirmwareState.UPDATED),
        ("12:00", "3.0", FirmwareState.UPDATED),
        ("10:00", "2.0", FirmwareState.DOWNLOADING),
        ("10:05", "2.0", FirmwareState.UPDATED),
        ("13:00", "4.0", FirmwareState.DOWNLOADING),
    )
    headers = api.token(Role.ENGINEER)
    found = api.get("/devices/T-0000/firmware", headers=headers).json()
    assert [(r["component"], r["version"], r["source"]) for r in found["running"]] == [("main", "3.0", "reported")]
    assert [(c["before"], c["after"]) for c in found["changes"]] == [("2.0", "3.0"), ("1.0.0", "2.0")]
    assert [(a["version"], a["outcome"], a["previous"]) for a in found["attempts"]] == [
        ("4.0", "under_way", "3.0"),
        ("3.0", "updated", "2.0"),
        ("2.0", "updated", "1.0.0"),
    ]
    assert found["attempts"][1]["irregularities"] == ["steps_missing"]

    def running(at: str) -> list[tuple[str, str]]:
        past = api.get(f"/devices/T-0000/firmware?at=2025-11-20T{at}", headers=headers).json()
        return [(r["version"], r["source"]) for r in past["running"]]

    assert running("08:00:00Z") == [("1.0.0", "registered")]
    assert running("10:04:59Z") == [("1.0.0", "reported")]
    assert running("11:00:00%2B01:00") == [("1.0.0", "reported")]
    assert running("11:59:59Z") == [("2.0", "reported")]
    assert api.get("/devices/T-0000/firmware?at=2025-11-20T11:59:59", headers=headers).status_code == 422
    assert api.get("/devices/none/firmware", headers=headers).status_code == 404

    counts = api.get("/firmware?model=TEST-100", headers=headers).json()["items"]
    assert [(c["version"], c["devices"], c["first_updated_at"]) for c in counts] == [
        ("1.0.0", 5, None),
        ("3.0", 1, "2025-11-20T12:00:00Z"),
    ]


def test_a_customer_sees_its_own_devices_alone(api: Api) -> None:
    _report(api, ("09:00", "2.0", FirmwareState.UPDATED))
    headers = api.token(Role.CUSTOMER, customer="T-C1")
    assert api.get("/devices/T-0000/firmware", headers=headers).status_code == 404
    assert [c["devices"] for c in api.get("/firmware", headers=headers).json()["items"]] == [3]
