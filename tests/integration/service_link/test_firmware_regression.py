"""A release is compared with what the same devices did before; a bad one is proposed once, a good one never."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pytest

from domain.firmware_release import Release, Verdict
from service_link.firmware_regression import find_windows, watch_releases
from service_link.model_watch import watch_round
from service_link.quality import QualityWatch, propose_capas
from store.capas import load_capa, load_capas
from store.pool import Connection, open_connection
from store.release_records import load_judged, load_states_of_version
from store.releases import load_controls, load_signal_changes, load_updates
from store.rollups import load_rollup_state
from store.ticket_policies import load_ticket_policies
from tests.support.databases import Database
from tests.support.releases import HOUR, UPDATED, Physics, add_fleet, find_update, make_usual, store_hours
from tests.support.service_world import World, open_world

BEGIN = datetime(2026, 11, 18, tzinfo=UPDATED.tzinfo)
END = datetime(2026, 11, 22, 6, tzinfo=UPDATED.tzinfo)


@pytest.fixture
def owner(any_database: Database) -> Iterator[Connection]:
    with open_connection(any_database.owner_url, application="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def world(any_database: Database) -> Iterator[World]:
    with open_world(any_database.url) as made:
        made.now = END
        yield made


def make_bad(updated: int, shift: float) -> Physics:
    """The motor current of the first `updated` devices moves by `shift` with their update."""
    usual = make_usual()

    def bad(device: int, place: int, at: datetime) -> float:
        is_new = device < updated and at >= find_update(device)
        return usual(device, place, at) + (shift if is_new and place == 0 else 0.0)

    return bad


def judged(world: World, version: str = "2.0") -> dict[tuple[str, str], Verdict]:
    (lines,) = load_judged(world.conn, model="PUMP", version=version).values()
    return {(j.line.measure.value, j.line.subject): j.verdict for j in lines}


def test_a_bad_release_is_proposed_once_with_its_figures(world: World, owner: Connection) -> None:
    add_fleet(world, 40, updated=15)
    store_hours(world, BEGIN, END, make_bad(15, 0.2), owner)
    (code,) = watch_releases(world.conn, END)
    capa = load_capa(world.conn, code)
    assert capa is not None
    assert (capa.trigger, capa.scope_kind, capa.scope_value) == ("FIRMWARE_REGRESSION", "FIRMWARE", "2.0")
    assert (capa.fault_group, capa.state) == ("motor", "PROPOSED")
    (line,) = capa.statistics["regression"]["lines"]
    assert (line["measure"], line["subject"], line["unit"], line["monitor"]) == (
        "level",
        "current",
        "A",
        "current_high",
    )
    assert line["effect"] == pytest.approx(0.2, abs=0.01)
    assert line["low"] < 0.2 < line["high"]
    assert line["share"] == pytest.approx(0.4, abs=0.05)
    assert (line["devices"], line["controls"]) == (15, 25)
    assert line["p"] <= line["q"] < 0.01
    assert judged(world)["level", "temperature"] is Verdict.NONE
    assert [e["type"] for e in world.rows("SELECT type FROM outbox WHERE type LIKE 'capa.%%'")] == ["capa.proposed"]

    # Nothing new, no look; and what a person rejected is not proposed again at the next one.
    assert watch_releases(world.conn, END + HOUR) == []
    world.conn.execute("UPDATE capa SET state = 'REJECTED', closed_at = now()")
    store_hours(world, END, END + timedelta(days=3), make_bad(15, 0.2), owner)
    assert watch_releases(world.conn, END + timedelta(days=3)) == []
    (state,) = load_states_of_version(world.conn, "PUMP", "2.0")
    assert (state.looks, state.devices, state.controls) == (2, 15, 25)
    assert len(load_capas(world.conn)) == 1


def test_good_releases_are_silent_and_a_harmless_change_is_shown(world: World, owner: Connection) -> None:
    add_fleet(world, 40, updated=15)
    usual = make_usual(3)

    def cooler(device: int, place: int, at: datetime) -> float:
        is_new = device < 15 and at >= find_update(device)
        return usual(device, place, at) - (1.0 if is_new and place == 1 else 0.0)

    store_hours(world, BEGIN, END, cooler, owner)
    assert watch_releases(world.conn, END) == []
    found = judged(world)
    assert found.pop(("level", "temperature")) is Verdict.CHANGED
    assert set(found.values()) == {Verdict.NONE}
    assert load_capas(world.conn) == []


def test_what_befalls_all_devices_is_no_fault_of_the_release(world: World, owner: Connection) -> None:
    add_fleet(world, 40, updated=15)
    usual = make_usual(4)
    # The whole house draws more current from the day of the update on.
    store_hours(world, BEGIN, END, lambda d, p, at: usual(d, p, at) + 0.2 * (p == 0 and at >= UPDATED), owner)
    assert watch_releases(world.conn, END) == []
    assert judged(world)["level", "current"] is Verdict.NONE


def test_a_rise_of_the_breach_rate_is_proposed_and_joins_what_is_live(world: World, owner: Connection) -> None:
    add_fleet(world, 40, updated=15)
    store_hours(world, BEGIN, END, make_usual(5), owner)
    for n in range(15):
        world.decide(f"P-{n:03}", fault_group="motor", at=find_update(n) + 3 * HOUR, firmware="2.0")
    for n in range(20, 23):
        world.decide(f"P-{n:03}", fault_group="motor", at=BEGIN + n * HOUR, firmware="1.0")
    (live,) = propose_capas(world.conn, QualityWatch(), load_ticket_policies(world.conn), END)
    assert watch_releases(world.conn, END) == []
    capa = load_capa(world.conn, live)
    assert capa is not None
    assert (capa.scope_value, capa.trigger) == ("2.0", "COHORT")
    (line,) = capa.statistics["regression"]["lines"]
    assert (line["measure"], line["subject"]) == ("rate", "motor")
    assert line["before"] == 0.0
    assert line["after"] > 1_000.0
    assert capa.statistics["events"] == 15
    joined = world.rows("SELECT after FROM audit_event WHERE action = 'capa.joined'")
    assert [set(row["after"]) for row in joined] == [{"regression", "work_order_ids"}]
    # A further case renews the cohort's figures and keeps the comparison.
    world.pass_time(hours=1)
    world.conn.execute("UPDATE device SET firmware = '2.0' WHERE serial = 'P-030'")
    world.decide("P-030", fault_group="motor", firmware="2.0")
    propose_capas(world.conn, QualityWatch(), load_ticket_policies(world.conn), world.now)
    again = load_capa(world.conn, live)
    assert again is not None
    assert again.statistics["events"] == 16
    assert "regression" in again.statistics


def test_too_few_devices_or_one_customer_propose_nothing(world: World, owner: Connection) -> None:
    add_fleet(world, 30, updated=9)
    store_hours(world, BEGIN, END, make_bad(9, 0.4), owner)
    assert watch_releases(world.conn, END) == []
    (state,) = load_states_of_version(world.conn, "PUMP", "2.0")
    assert (state.devices, state.looks) == (9, 0)


def test_one_customer_alone_proposes_nothing(world: World, owner: Connection) -> None:
    add_fleet(world, 30, updated=12, customers=1)
    store_hours(world, BEGIN, END, make_bad(12, 0.4), owner)
    watch_round(world.conn, END)
    assert judged(world)["level", "current"] is Verdict.WORSE
    assert load_capas(world.conn) == []


def test_changes_are_those_of_the_hours_themselves(world: World, owner: Connection) -> None:
    """The same from the roll-ups one by one: hours of the day against the same hours before."""
    add_fleet(world, 3, updated=2)
    store_hours(world, BEGIN, END, make_bad(2, 0.2), owner)
    (updates,) = load_updates(world.conn, BEGIN, END, before_h=24, most=10).values()
    windows = [find_windows(update, load_rollup_state(world.conn).hours_to) for update in updates]
    found = {(c.device_id, c.sensor): c for c in load_signal_changes(world.conn, windows)}
    assert len(found) == 4
    for window in windows:
        rows = world.rows(
            "SELECT bucket, sum / n AS level, maximum - minimum AS spread FROM reading_1h"
            " WHERE series_id = (SELECT id FROM series WHERE device_id = %s AND sensor = 'current')",
            window.device_id,
        )
        before = [r for r in rows if window.before_from <= r["bucket"] < window.before_to]
        after = [r for r in rows if window.after_from <= r["bucket"] < window.after_to]
        for name in ("level", "spread"):
            usual = {
                hour: np.mean([r[name] for r in before if r["bucket"].hour == hour])
                for hour in {r["bucket"].hour for r in before}
            }
            expected = np.mean([r[name] - usual[r["bucket"].hour] for r in after])
            change = found[window.device_id, "current"]
            assert getattr(change, f"{name}_change") == pytest.approx(expected, abs=1e-9)
            assert change.hours == len(after)
    release = Release(updates[0].device_model_id, "PUMP", "2.0", is_simulated=False)
    assert load_controls(world.conn, release, BEGIN, most=5) == [world.devices["P-002"]]
