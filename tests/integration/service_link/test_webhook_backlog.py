"""Events that happen now beside a long backlog: planned at once, and never before an earlier one of their record."""

import random
from collections import defaultdict
from pathlib import Path

from domain.webhook import DeliveryState
from store.webhook_planning import plan_deliveries
from store.webhooks import EndpointDraft, change_endpoint
from tests.support.databases import Database
from tests.support.webhooks import ADMIN, Hooks, open_hooks

LIMIT = 5


def find_planned(hooks: Hooks) -> list[tuple[str, str]]:
    """Record and type of every delivery, in the order in which they were planned."""
    query = "SELECT d.entity_id, o.type FROM webhook_delivery d JOIN outbox o ON o.id = d.outbox_id ORDER BY d.id"
    return [(str(record), str(kind)) for record, kind in hooks.conn.execute(query).fetchall()]


def test_an_event_waits_for_no_backlog_that_nobody_wants(any_database: Database, tmp_path: Path) -> None:
    with open_hooks(any_database.url, tmp_path) as hooks:
        for n in range(4 * LIMIT):
            hooks.tell(f"old-{n}")
        hooks.conn.execute("UPDATE outbox SET created_at = created_at - interval '1 day'")
        hooks.add("https://erp.example/", "breach.cleared")
        for n in range(2 * LIMIT):
            hooks.tell(f"unwanted-{n}")
        hooks.tell("b-1", "breach.opened", "breach.cleared")
        assert plan_deliveries(hooks.conn, hooks.find_now(), LIMIT) == 2 * LIMIT
        assert find_planned(hooks) == [("b-1", "breach.cleared")]
        while plan_deliveries(hooks.conn, hooks.find_now(), LIMIT):
            pass
        assert find_planned(hooks) == [("b-1", "breach.cleared")]
        assert hooks.conn.execute("SELECT count(*) FROM outbox WHERE planned_at IS NULL").fetchone() == (0,)


def test_an_event_waits_for_the_backlog_of_its_own_record(hooks: Hooks) -> None:
    hooks.add("https://erp.example/")
    for n in range(2 * LIMIT):
        hooks.tell(f"b-{n}")
    hooks.tell(f"b-{2 * LIMIT - 1}", "breach.escalated")
    for n in range(LIMIT - 2):
        hooks.tell(f"new-{n}")
    hooks.tell(f"b-{LIMIT}", "breach.cleared")
    plan_deliveries(hooks.conn, hooks.find_now(), LIMIT)
    planned = find_planned(hooks)
    assert planned[:LIMIT] == [(f"b-{n}", "breach.opened") for n in range(LIMIT)]
    assert planned[LIMIT:] == [(f"new-{n}", "breach.opened") for n in range(LIMIT - 2)]
    while plan_deliveries(hooks.conn, hooks.find_now(), LIMIT):
        pass
    of_one = [kind for record, kind in find_planned(hooks) if record == f"b-{LIMIT}"]
    assert of_one == ["breach.opened", "breach.cleared"]


def test_what_nobody_wanted_when_a_later_event_was_planned_comes_no_more(hooks: Hooks) -> None:
    endpoint = hooks.add("https://erp.example/", "breach.cleared")
    hooks.tell("b-0")
    hooks.tell("b-1", "breach.opened")
    for n in range(2 * LIMIT):
        hooks.tell(f"other-{n}")
    hooks.tell("b-1", "breach.cleared")
    plan_deliveries(hooks.conn, now := hooks.find_now(), 1)
    assert find_planned(hooks) == [("b-1", "breach.cleared")]
    draft = EndpointDraft(endpoint.name, endpoint.url, (), None, 0)
    change_endpoint(hooks.conn, ADMIN, endpoint.code, draft, "", expected=endpoint.row_version, now=now)
    while plan_deliveries(hooks.conn, hooks.find_now(), LIMIT):
        pass
    assert [kind for record, kind in find_planned(hooks) if record == "b-1"] == ["breach.cleared"]
    assert len(find_planned(hooks)) == 1 + 2 * LIMIT  # b-0 was planned when nobody wanted it


def test_whatever_happens_when_each_endpoint_is_told_all_that_it_wants_in_order(hooks: Hooks) -> None:
    chance = random.Random(20261122)
    kinds = ("breach.opened", "breach.escalated", "breach.cleared")
    wanted: dict[str, tuple[str, ...]] = {hooks.add("https://erp.example/").code: kinds}
    wanted[hooks.add("https://crm.example/", "breach.opened", "breach.cleared").code] = (kinds[0], kinds[2])
    told: dict[str, list[str]] = defaultdict(list)
    expected: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for _ in range(25):
        for _ in range(chance.randint(0, 9)):
            record, kind = f"b-{chance.randint(0, 7)}", chance.choice(kinds)
            hooks.tell(record, kind)
            told[record].append(kind)
            for code, types in wanted.items():
                if kind in types:
                    expected[code].append((record, kind))
        plan_deliveries(hooks.conn, hooks.find_now(), 3)
    while plan_deliveries(hooks.conn, hooks.find_now(), 3):
        pass
    query = """
        SELECT w.code, d.entity_id, o.type FROM webhook_delivery d JOIN webhook_endpoint w ON w.id = d.endpoint_id
        JOIN outbox o ON o.id = d.outbox_id WHERE d.state = %s ORDER BY d.id
    """
    planned: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for code, record, kind in hooks.conn.execute(query, (DeliveryState.WAITING,)).fetchall():
        planned[code].append((record, kind))
    for code in wanted:
        assert sorted(planned[code]) == sorted(expected[code])
        for record in told:
            own = [kind for one, kind in planned[code] if one == record]
            assert own == [kind for one, kind in expected[code] if one == record]
