"""Profiles in the store: which version counts, and who made it so."""

from dataclasses import replace

import pytest

from domain.errors import ProfileError
from forewarn.commands.profiles import apply_bundled_profiles
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.pool import open_connection
from store.profiles import Applied, load_profile, record_profile
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


def test_a_version_that_an_older_program_applied_is_the_same_although_profiles_have_more_fields_now(
    database: Database,
) -> None:
    with open_connection(database.url, application="test") as conn:
        record_profile(conn, PROFILE, "anna")
        # device_model_profile is never changed by the programs: this is the document as it was before.
        with open_connection(database.owner_url, application="test", autocommit=True) as owner:
            conn.commit()
            owner.execute("UPDATE device_model_profile SET body = body - 'ingest' - 'data_quality', sha256 = 'older'")
        assert record_profile(conn, PROFILE, "anna") is Applied.UNCHANGED
        with pytest.raises(ProfileError, match="other content"):
            record_profile(conn, replace(PROFILE, manufacturer="Other Works"), "anna")


def test_bundled_profiles_leave_what_people_made_of_them(database: Database) -> None:
    with open_connection(database.url, application="test") as conn:
        applied = apply_bundled_profiles(conn)
        assert applied
        assert apply_bundled_profiles(conn) == []
        current = load_profile(conn, applied[0])
        assert current is not None
        # An older program bundled the version before; people moved a threshold, which took the number of this one's.
        with open_connection(database.owner_url, application="test", autocommit=True) as owner:
            conn.commit()
            owner.execute("UPDATE device_model_profile SET applied_by = 'eva' WHERE version = %s", (current.version,))
            owner.execute(
                "UPDATE device_model_profile SET body = jsonb_set(body, '{manufacturer}', '\"Theirs\"')"
                " WHERE applied_by = 'eva'"
            )
        assert apply_bundled_profiles(conn) == []
        kept = load_profile(conn, applied[0])
        assert kept is not None
        assert kept.manufacturer == "Theirs"
