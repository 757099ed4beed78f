"""A campaign stops by itself when the breach rate of upgraded devices rises, and only then."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.errors import GuardRefusedError
from domain.field_action import FieldAction
from domain.field_action_scope import Wave
from domain.firmware_release import Comparison, Judged, Measure, Release, Verdict
from domain.report import FirmwareState
from store.audit import AuditFilter, load_audit_events
from store.field_actions import load_field_action
from store.release_records import ReleaseState, record_judged, record_release_states
from tests.support.databases import Database
from tests.support.field_actions import NEW, OLD, Campaigns, open_campaigns

PILOT = tuple(f"SN-{n}" for n in range(1, 7))
OTHERS = tuple(f"SN-{n}" for n in range(7, 13))


@pytest.fixture
def campaigns(database: Database) -> Iterator[Campaigns]:
    with open_campaigns(database.url, devices=12, sites=3) as found:
        yield found


def start_pilot(campaigns: Campaigns) -> FieldAction:
    """A campaign whose first wave has just been upgraded."""
    campaigns.release()
    action = campaigns.start(campaigns.draft(waves=(Wave(serials=PILOT), Wave())))
    campaigns.world.pass_time(minutes=5)
    for serial in PILOT:
        campaigns.report(serial)
    campaigns.follow()
    return action


def load(campaigns: Campaigns, action: FieldAction) -> FieldAction:
    found = load_field_action(campaigns.world.conn, action.code)
    assert found is not None
    return found


def test_upgraded_devices_that_breach_more_often_halt_the_campaign(campaigns: Campaigns) -> None:
    action = start_pilot(campaigns)
    campaigns.world.pass_time(hours=4)
    for serial in PILOT[:3]:
        campaigns.world.raise_breach(serial)
    campaigns.follow()
    assert not load(campaigns, action).is_halted  # no look is due before sixty device-hours
    campaigns.world.pass_time(hours=8)
    campaigns.follow()
    halted = load(campaigns, action)
    assert (halted.state, halted.halt_reason) == ("EXECUTING", "breach_rate")
    assert halted.halt_statistics is not None
    assert halted.halt_statistics["devices"] == 6
    assert (halted.halt_statistics["events_before"], halted.halt_statistics["events_after"]) == (0, 3)
    assert halted.halt_statistics["p_valid"] < 0.01
    assert "3 of 6 upgraded devices breached" in halted.halt_statistics["detail"]
    (event, *_) = load_audit_events(
        campaigns.world.conn, AuditFilter(entity="field_action", action="fieldaction.halted")
    )
    assert (event.actor, event.entity_id) == ("service_link", action.code)
    with pytest.raises(GuardRefusedError, match="halted"):
        campaigns.open_wave(action.code)
    assert [serial for serial, wanted in campaigns.notices().items() if wanted] == []


def test_what_befalls_waiting_devices_too_is_not_the_firmware(campaigns: Campaigns) -> None:
    action = start_pilot(campaigns)
    campaigns.world.pass_time(hours=4)
    for serial in (*PILOT[:3], *OTHERS[:3]):
        campaigns.world.raise_breach(serial)
    campaigns.world.pass_time(hours=8)
    campaigns.follow()
    seen = load(campaigns, action)
    assert (seen.is_halted, seen.looks) == (False, 1)


def test_as_many_breaches_as_before_do_not_halt(campaigns: Campaigns) -> None:
    for n, serial in enumerate(PILOT):
        campaigns.world.raise_breach(serial, at=campaigns.world.now - timedelta(hours=12 * (n + 1)))
    action = start_pilot(campaigns)
    campaigns.world.pass_time(hours=6)
    campaigns.world.raise_breach(PILOT[0])
    campaigns.world.pass_time(days=2)
    campaigns.follow()
    campaigns.world.pass_time(hours=1)
    campaigns.follow()  # no look is due until the hours have doubled
    seen = load(campaigns, action)
    assert (seen.is_halted, seen.looks) == (False, 1)


def test_a_device_that_rolled_back_still_speaks_against_the_firmware(campaigns: Campaigns) -> None:
    action = start_pilot(campaigns)
    campaigns.world.pass_time(hours=12)
    for serial in PILOT[:4]:
        campaigns.world.raise_breach(serial, at=campaigns.world.now - timedelta(hours=2))
        campaigns.report(serial, state=FirmwareState.FAILED, previous=OLD)
    campaigns.world.pass_time(hours=1)
    campaigns.follow()
    assert load(campaigns, action).halt_reason == "breach_rate"


def test_after_a_resumption_what_was_upgraded_before_is_not_judged_again(campaigns: Campaigns) -> None:
    action = start_pilot(campaigns)
    campaigns.world.pass_time(hours=4)
    for serial in PILOT[:3]:
        campaigns.world.raise_breach(serial)
    campaigns.world.pass_time(hours=8)
    campaigns.follow()
    with pytest.raises(GuardRefusedError) as error:
        campaigns.resume("quentin", action.code)
    assert error.value.guard == "own_work"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.resume("ada", action.code, reason=" ")
    assert error.value.guard == "reason_missing"
    resumed = campaigns.resume("ada", action.code, "all three were dropped")
    assert (resumed.is_halted, resumed.looks, resumed.watched_from) == (False, 0, campaigns.world.now)
    campaigns.world.pass_time(days=2)
    campaigns.follow()
    assert not load(campaigns, action).is_halted
    (signature,) = campaigns.world.rows("SELECT * FROM signature WHERE entity = 'field_action.resume'")
    assert signature["printed_name"] == "Ada"


def judge_release(campaigns: Campaigns, subject: str) -> None:
    """The comparison of the release, as another round of service-link wrote it."""
    world = campaigns.world
    (model,) = world.rows("SELECT id FROM device_model WHERE key = 'PUMP'")
    line = Comparison(
        Measure.RATE, subject, "/1000 d", 12, 10, 5.0, 50.0, 10.0, 4.0, 30.0, 1e-6, None, None, subject, Verdict.WORSE
    )
    state = ReleaseState(model["id"], "PUMP", NEW, False, world.now, 12, 10, 3, 99.0, 1, 120.0, world.now, world.now)
    with world.conn.transaction():
        record_release_states(world.conn, [state])
        record_judged(
            world.conn,
            Release(model["id"], "PUMP", NEW, False),
            [Judged(line, 1e-5, 1e-4, Verdict.WORSE, 1, world.now)],
        )


def test_a_release_that_is_worse_for_certain_halts_its_campaign_until_a_person_accepts_that(
    campaigns: Campaigns,
) -> None:
    action = start_pilot(campaigns)
    judge_release(campaigns, "motor_wear")
    campaigns.follow()
    halted = load(campaigns, action)
    assert halted.halt_reason == "release_regression"
    assert halted.halt_statistics is not None
    assert halted.halt_statistics["findings"] == ["rate:motor_wear"]
    resumed = campaigns.resume("ada", action.code)
    assert resumed.accepted_findings == ["rate:motor_wear"]
    campaigns.follow()
    assert not load(campaigns, action).is_halted
    judge_release(campaigns, "occlusion")
    campaigns.follow()
    assert load(campaigns, action).is_halted
