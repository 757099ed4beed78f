"""Signatures on a work order: they stand for what was signed, and say when that is not what the order says any more."""

from typing import Any

import psycopg

from domain.roles import Role
from tests.support.clinic import MANAGER, make_clinic
from tests.support.http_api import Api


def test_a_signature_falls_with_what_it_stands_for(api: Api) -> None:
    clinic = make_clinic(api)
    headers = api.token(Role.AUDITOR)

    def find() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get(f"/work-orders/{clinic.order}", headers=headers).json()["signatures"]
        return found

    def change(statement: str) -> None:
        with psycopg.connect(api.settings.database_url) as conn:
            conn.execute(statement.encode())

    (held,) = find()
    assert (held["signer"], held["meaning"], held["valid"]) == (MANAGER, "Reviewed and closed", True)
    change(
        "UPDATE work_order SET resolution_due_at = now(), external_refs = '[]', updated_at = now(), breach_count = 9"
    )
    assert find() == [held]  # clocks and references go on, and are not what was signed
    change("UPDATE work_order SET outcome = 'NO_FAULT_FOUND', close_out = close_out || '{\"test_data\": \"none\"}'")
    (fallen,) = find()
    assert (fallen["valid"], fallen["invalid_reason"]) == (False, "content_changed")
    assert fallen["changed_fields"] == ["close_out", "outcome"]
    assert fallen["content_sha256"] == held["content_sha256"]
    change(
        "UPDATE work_order SET outcome = 'CONFIRMED', close_out = close_out || '{\"test_data\": \"0.9 A at 10 mL/h\"}'"
    )
    assert find() == [held]
    manager = api.sign_in(MANAGER).writing
    etag = api.get(f"/work-orders/{clinic.order}", headers=manager).headers["etag"]
    reopened = api.post(
        f"/work-orders/{clinic.order}/transitions",
        headers={**manager, "If-Match": etag},
        json={"to": "TRIAGED", "reason": "It leaks again."},
    )
    assert reopened.status_code == 200, reopened.text
    (earlier,) = find()
    assert (earlier["valid"], earlier["invalid_reason"], earlier["entity_version"]) == (False, "earlier_version", 1)
