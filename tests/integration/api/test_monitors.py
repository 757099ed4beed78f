"""Monitors, proposed thresholds and compared firmware by REST."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.audit import Actor
from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.firmware_release import Comparison, Judged, Measure, Release, Verdict
from domain.monitor_quality import Threshold
from domain.roles import Role
from service_link.monitor_feedback import watch_monitors
from store.capa_proposals import CapaProposal, open_or_join_capa
from store.drift import DriftDay, record_drift
from store.pool import Connection, open_connection
from store.profiles import load_profile, record_profile
from store.release_records import ReleaseState, record_judged, record_release_states
from store.threshold_proposals import propose_threshold, record_backtest
from tests.support.http_api import PASSWORD, Api

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MACHINE = Actor("service-link", "", "")


@pytest.fixture
def conn(api: Api) -> Iterator[Connection]:
    with open_connection(api.settings.database_url, application="test", autocommit=True) as opened:
        yield opened


def find_model_id(conn: Connection) -> int:
    row = conn.execute("SELECT id FROM device_model WHERE key = 'TEST-100'").fetchone()
    assert row is not None
    return int(row[0])


def propose(conn: Connection, *, safety_critical: bool) -> tuple[str, str]:
    """(code, monitor) of a proposal for the first monitor of TEST-100 that has a threshold."""
    profile = load_profile(conn, "TEST-100")
    assert profile is not None
    if profile.safety_critical != safety_critical:
        profile = replace(profile, version=profile.version + 1, safety_critical=safety_critical)
        record_profile(conn, profile, "test")
    monitor = next(m for m in profile.monitors if m.raise_at is not None)
    assert monitor.raise_at is not None
    found = Threshold(monitor.raise_at + 2, monitor.raise_at + 1, 3, 1, 3, (1.0,), (2.0,))
    code = propose_threshold(conn, MACHINE, profile, monitor, found, {"in_vain": 3}, NOW)
    assert code is not None
    return code, monitor.key


def test_monitors_with_all_that_is_known_of_them(api: Api, conn: Connection) -> None:
    code, monitor = propose(conn, safety_critical=False)
    conn.execute("UPDATE device SET created_at = %s", (NOW - timedelta(days=10),))
    watch_monitors(conn, NOW)
    model_id = find_model_id(conn)
    today = datetime.now(UTC).date()
    day = DriftDay(model_id, "TEST-100", False, "score", monitor, "", today, 0.4, 0.02, 30, 700, 5_000, "DRIFT")
    with conn.transaction():
        assert record_drift(conn, [day], NOW) == [day]
    reader = api.token(Role.SERVICE_MANAGER)
    page = api.get("/monitors?model=TEST-100", headers=reader).json()
    (found,) = [m for m in page["items"] if m["monitor"] == monitor]
    assert found["proposal"]["code"] == code
    assert found["drift"][0]["psi"] == 0.4
    assert found["quality"][0]["precision_mean"] == 0.5
    assert found["quality"][0]["ticket_rate"] == 0.0
    assert {d["rule"] for d in page["detectors"]} == {m["rule"] for m in page["items"]}
    for path in ("/monitors", "/threshold-proposals", "/models"):
        unknown = api.get(f"{path}?model=NOPE", headers=reader)
        assert (unknown.status_code, unknown.json()["errors"]) == (404, [{"field": "model", "detail": "not found"}])
        assert api.get(f"{path}?model=TEST-100", headers=reader).status_code == 200
    assert api.get("/monitors/NOPE/any", headers=reader).json()["errors"][0]["field"] == "model"
    detail = api.get(f"/monitors/TEST-100/{monitor}", headers=reader).json()
    assert [p["code"] for p in detail["proposals"]] == [code]
    assert [d["state"] for d in detail["drift_days"]] == ["DRIFT"]
    assert api.get("/monitors/TEST-100/none", headers=reader).status_code == 404
    assert api.get("/monitors", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403


def test_a_threshold_on_a_safety_critical_model_takes_two_people(api: Api, conn: Connection) -> None:
    code, _ = propose(conn, safety_critical=True)
    for name in ("eva", "ben"):
        api.add_user(name, Role.ENGINEER)
    who = {name: api.sign_in(name).writing for name in ("eva", "ben")}
    path = f"/threshold-proposals/{code}"

    def step(name: str, body: dict[str, object], expected: int) -> dict[str, object]:
        etag = api.get(path, headers=who[name]).headers["etag"]
        response = api.post(f"{path}/transitions", headers=who[name] | {"If-Match": etag}, json=body)
        assert response.status_code == expected, response.text
        found: dict[str, object] = response.json()
        return found

    accept: dict[str, object] = {"to": "ACCEPTED", "reason": "half the tickets", "password": PASSWORD}
    assert step("eva", accept, 409)["guard"] == "backtest_missing"
    with conn.transaction():
        record_backtest(conn, MACHINE, code, {"lost_confirmed": 0}, NOW)
    assert api.get(path, headers=who["eva"]).json()["next_steps"] == [
        {"to": "ENDORSED", "allowed": True, "permission": "profile.write"},
        {"to": "REJECTED", "allowed": True, "permission": "profile.write"},
    ]
    endorse = accept | {"to": "ENDORSED"}
    assert step("eva", endorse | {"password": None}, 409)["guard"] == "signature_missing"
    assert "password" in str(step("eva", endorse | {"password": "wrong"}, 422))
    step("eva", endorse, 200)
    assert step("eva", accept, 409)["guard"] == "second_person"
    before = load_profile(conn, "TEST-100")
    assert before is not None
    accepted = step("ben", accept, 200)
    assert (accepted["state"], accepted["made_version"]) == ("ACCEPTED", before.version + 1)
    assert api.get("/device-models/TEST-100", headers=who["ben"]).json()["version"] == before.version + 1
    listed = api.get("/threshold-proposals?state=ACCEPTED", headers=who["ben"]).json()["items"]
    assert [p["code"] for p in listed] == [code]
    stale = api.post(f"{path}/transitions", headers=who["ben"] | {"If-Match": '"1"'}, json=accept)
    assert stale.status_code == 412
    token = api.token(Role.ENGINEER)
    assert api.get("/threshold-proposals/TP-2026-9999", headers=token).status_code == 404
    by_token = api.post(f"{path}/transitions", headers=token | {"If-Match": '"9"'}, json=accept)
    assert by_token.status_code == 422
    manager = api.token(Role.SERVICE_MANAGER) | {"If-Match": '"9"'}
    assert api.post(f"{path}/transitions", headers=manager, json=accept).status_code == 403


def test_what_a_firmware_version_changed(api: Api, conn: Connection) -> None:
    release = Release(find_model_id(conn), "TEST-100", "2.0", is_simulated=False)
    state = ReleaseState(release.device_model_id, "TEST-100", "2.0", False, NOW, 20, 30, 2, 480.0, 2, 960.0, NOW, NOW)
    line = Comparison(
        Measure.LEVEL,
        "level",
        "mm",
        20,
        30,
        50.0,
        60.0,
        10.0,
        9.0,
        11.0,
        1e-9,
        0.3,
        "level_high",
        "tank",
        Verdict.WORSE,
    )
    with conn.transaction():
        record_release_states(conn, [state])
        record_judged(conn, release, [Judged(line, 1e-8, 1e-7, Verdict.WORSE, 2, NOW)])
    headers = api.token(Role.QUALITY_ENGINEER)
    found = api.get("/firmware/TEST-100/2.0/regression", headers=headers).json()
    assert (found["model"], found["version"]) == ("TEST-100", "2.0")
    (shown,) = found["releases"]
    assert (shown["devices"], shown["controls"], shown["looks"], shown["capas"]) == (20, 30, 2, {})
    (compared,) = shown["lines"]
    assert (compared["verdict"], compared["effect"], compared["unit"], compared["q"]) == ("WORSE", 10.0, "mm", 1e-7)
    assert api.get("/firmware/TEST-100/9.9/regression", headers=headers).status_code == 404


def test_the_capa_page_shows_what_was_compared(api: Api, conn: Connection) -> None:
    line = {
        "measure": "level",
        "subject": "level",
        "unit": "mm",
        "before": 50.0,
        "after": 61.25,
        "effect": 11.25,
        "low": 10.5,
        "high": 12.0,
        "share": 0.375,
        "monitor": "level_high",
        "devices": 20,
        "controls": 30,
        "p": 1e-8,
        "q": 1e-7,
    }
    rate = line | {"measure": "rate", "subject": "tank", "effect": 3.5, "share": None, "unit": "/1000 d"}
    compared = {"devices": 20, "controls": 30, "device_hours": 480.0, "lines": [line, rate]}
    proposal = CapaProposal(
        scope=CapaScope(find_model_id(conn), ScopeKind.FIRMWARE, "2.0", "tank"),
        trigger=CapaTrigger.FIRMWARE_REGRESSION,
        statistics={
            "devices": 20,
            "customers": 2,
            "device_days": 20.0,
            "rate": 150.0,
            "baseline_rate": None,
            "ratio": None,
            "interval": None,
            "p": 1e-8,
            "q": 1e-7,
            "regression": compared,
        },
        work_order_ids=(),
        is_simulated=False,
    )
    with conn.transaction():
        code, _ = open_or_join_capa(conn, MACHINE, proposal, NOW)
    api.add_user("quinn", Role.QUALITY_APPROVER)
    reader = api.sign_in("quinn").reading
    page = api.client.get(f"/capa/{code}", headers=reader)
    assert page.status_code == 200
    for shown in ("+11.250 mm", "+10.500 – +12.000", "38%", "× 3.5", "worse than the version before", "20 devices, 30"):
        assert shown in page.text, shown
    chinese = api.client.get(f"/capa/{code}", headers=reader | {"Accept-Language": "zh"})
    assert "更新前后比较" in chinese.text
    listed = api.client.get("/capa", headers=reader)
    assert "worse after an update" in listed.text
