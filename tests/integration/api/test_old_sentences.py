"""Sentences of records that were written before monitors and faults had names in them: names are said all the same."""

from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import psycopg
import pytest

from domain.profile import Text
from domain.roles import Role
from store.profiles import record_profile
from tests.support.fleet import PROFILE
from tests.support.http_api import Api, Session

AT = datetime(2026, 3, 2, 8, 13, tzinfo=UTC)
CODE, ASKED = "WO-2026-000901", "WO-2026-000902"
ORDER = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, fault_group, title_code, title_params,
        created_by, created_at)
    SELECT %(code)s, 'CORRECTIVE', 'AUTOMATIC', 'P2', 'NEW', d.id, 'tank', %(title)s,
        jsonb_build_object('serial', d.serial, 'fault_group', 'tank'), 'service_link', %(at)s
    FROM device d WHERE d.serial = %(serial)s RETURNING id
"""
BREACH = """
    INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state, first_seen,
        raised_at, last_seen, cleared_at, count, peak, score, reason_code, params)
    SELECT gen_random_uuid(), d.id, %(monitor)s, 1, 'LIMIT', 'MAJOR', 'tank', 'CLEARED', %(at)s, %(at)s, %(at)s, %(at)s,
        1, 1, 1, 'limit_high', '{}'
    FROM device d WHERE d.serial = 'T-0000' RETURNING id
"""
LINK = "INSERT INTO work_order_breach (work_order_id, breach_id) VALUES (%(order)s, %(breach)s)"
CLOSED = """
    INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params)
    VALUES (%(breach)s, 'CLEARED', 'MAJOR', %(at)s, %(at)s, 1, 'monitor_retired',
        jsonb_build_object('serial', 'T-0000', 'monitor', %(monitor)s::text) || %(more)s::jsonb) RETURNING id
"""
DECIDED = """
    INSERT INTO ticket_decision (transition_id, decision, reason, work_order_id)
    VALUES (%(transition)s, 'NOTHING', 'cleared_linked', %(order)s)
"""
KEPT = "SELECT params FROM breach_transition ORDER BY id"


@pytest.fixture
def mona(api: Api) -> Session:
    """A manager; and orders of a version that kept no names, of a monitor that the next profile no longer has."""
    api.add_user("mona", Role.SERVICE_MANAGER)
    changed = replace(
        PROFILE,
        version=2,
        sensors=(replace(PROFILE.sensors[0], label=Text("Gauge", "液位计")), *PROFILE.sensors[1:]),
        fault_groups=(replace(PROFILE.fault_groups[0], label=Text("Tank", "水箱")), *PROFILE.fault_groups[1:]),
        monitors=PROFILE.monitors[1:],
    )
    with psycopg.connect(api.settings.database_url) as conn:
        record_profile(conn, changed, "test")
        conn.execute(ORDER, {"code": ASKED, "serial": "T-0001", "title": "manual_order", "at": AT})
        values = {"code": CODE, "serial": "T-0000", "title": "limit_high", "at": AT}
        ((order,),) = conn.execute(ORDER, values).fetchall()
        for monitor, more in (
            ("level_high", "{}"),
            ("never_there", "{}"),
            ("flow_unusual", '{"monitor_name": {"en": "Flux: odd", "zh": "流量：异样"}}'),
        ):
            ((breach,),) = conn.execute(BREACH, {"monitor": monitor, "at": AT}).fetchall()
            conn.execute(LINK, {"order": order, "breach": breach})
            values = {"breach": breach, "monitor": monitor, "more": more, "at": AT}
            ((transition,),) = conn.execute(CLOSED, values).fetchall()
            conn.execute(DECIDED, {"transition": transition, "order": order})
    return api.sign_in("mona")


def show(api: Api, who: Session, path: str, language: str) -> str:
    answer = api.client.get(path, headers={**who.reading, "Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return unescape(answer.text).replace('<span class="nowrap">', "").replace("</span>", "")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "The monitor “level: limit, high” of T-0000 no longer exists",
                "The monitor “never_there” of T-0000 no longer exists",
                "The monitor “Flux: odd” of T-0000 no longer exists",
            ],
        ),
        ("zh", ["T-0000 的监测规则“level：限值（上限）”已不存在", "“never_there”已不存在", "“流量：异样”已不存在"]),
    ],
)
def test_a_breach_that_was_closed_without_a_name_is_told_with_that_of_its_own_profile(
    api: Api, mona: Session, language: str, said: list[str]
) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        before = conn.execute(KEPT).fetchall()
        page = show(api, mona, f"/work-orders/{CODE}", language)
        assert [sentence for sentence in said if sentence not in page] == []
        assert "“level_high”" not in page
        assert conn.execute(KEPT).fetchall() == before, "what was written stays as it is"


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Service was asked for T-0001: Tank."), ("zh", "T-0001 申请了服务：水箱")]
)
def test_an_order_that_people_asked_for_says_its_fault_by_name(
    api: Api, mona: Session, language: str, said: str
) -> None:
    for path in (f"/work-orders/{ASKED}", "/work-orders"):
        page = show(api, mona, path, language)
        assert said in page, path
