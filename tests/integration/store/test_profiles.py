"""Profiles in the store: which version counts, and who made it so."""

from dataclasses import replace

import pytest

from domain.errors import ProfileError
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.pool import open_connection
from store.profiles import Applied, record_profile
from tests.support.databases import Database
from tests.support.fleet import PROFILE


def test_every_version_that_becomes_current_stands_in_the_audit_and_a_repetition_does_not(database: Database) -> None:
    newer = replace(PROFILE, version=PROFILE.version + 1)
    with open_connection(database.url, application="test") as conn:
        applied = [record_profile(conn, profile, "anna") for profile in (PROFILE, PROFILE, newer)]
        with pytest.raises(ProfileError, match="older"):
            record_profile(conn, PROFILE, "anna")
        events = load_audit_events(conn, AuditFilter(entity="device_model"))
        assert verify_chain(conn).holds
    assert applied == [Applied.NEW, Applied.UNCHANGED, Applied.NEW]
    assert [(e.action, e.actor, e.entity_id, (e.after or {})["version"]) for e in events] == [
        ("profile.applied", "anna", PROFILE.model, newer.version),
        ("profile.applied", "anna", PROFILE.model, PROFILE.version),
    ]
    assert (events[0].before, events[1].before) == ({"version": PROFILE.version}, None)
