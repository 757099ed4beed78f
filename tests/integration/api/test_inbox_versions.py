"""What an open inbox asks for after a change says the same as the page, and only what the person may see."""

import gzip
import re

import psycopg

from domain.roles import Role
from tests.support.event_stream import following
from tests.support.http_api import Api

ROW = re.compile(r'<tr [^>]*data-row="([^"]+)" data-version="([^"]+)"')
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')
# Six orders of six devices, those of even numbers at T-C0; the last one is decided.
MAKE_ORDERS = """
    INSERT INTO work_order (code, type, source, priority, state, device_id, site_id, customer_id, fault_group,
        title_code, title_params, inbox_reason, response_due_at, resolution_due_at, created_by, row_version)
    SELECT 'WO-2026-90000' || right(d.serial, 1), 'CORRECTIVE', 'MANUAL', 'P2', 'NEW', d.id, d.site_id, s.customer_id,
        'tank', 'manual', '{"text": "It leaks."}', CASE WHEN d.serial <> 'T-0005' THEN 'NEW' END,
        now() + interval '1 hour', now() + interval '1 day', 'test', 3
    FROM device d JOIN site s ON s.id = d.site_id
"""


def make_orders(api: Api) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(MAKE_ORDERS)


def ask(api: Api, path: str, headers: dict[str, str]) -> dict[str, str]:
    answer = api.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    rows: dict[str, str] = answer.json()["rows"]
    return rows


def test_versions_are_those_of_the_page(api: Api) -> None:
    make_orders(api)
    api.add_user("mona", Role.SERVICE_MANAGER)
    reading = api.sign_in("mona").reading
    for query in ("", "?sort=priority", "?priority=P1", "?customer=T-C1"):
        page = api.client.get(f"/inbox{query}", headers=reading).text
        assert ask(api, f"/inbox/versions{query}", reading) == dict(ROW.findall(page))
    assert set(ask(api, "/inbox/versions", reading).values()) == {"3"}
    assert len(ask(api, "/inbox/versions", reading)) == 5
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE work_order SET row_version = 4 WHERE code = 'WO-2026-900001'")
    assert ask(api, "/inbox/versions", reading)["WO-2026-900001"] == "4"
    assert api.client.get("/inbox/versions?cursor=nonsense", headers=reading).status_code == 422


def test_a_customers_user_hears_of_its_own_orders_alone(api: Api) -> None:
    make_orders(api)
    api.add_user("carla", Role.CUSTOMER, customer="T-C0")
    rows = ask(api, "/inbox/versions?customer=T-C1", api.sign_in("carla").reading)
    assert rows == {}
    rows = ask(api, "/inbox/versions", api.sign_in("carla").reading)
    assert set(rows) == {"WO-2026-900000", "WO-2026-900002", "WO-2026-900004"}


def test_a_page_is_told_what_it_would_show_at_once_and_after_each_change(api: Api) -> None:
    make_orders(api)
    api.add_user("mona", Role.SERVICE_MANAGER)
    api.add_user("carla", Role.CUSTOMER, customer="T-C1")
    mona, carla = api.sign_in("mona").reading, api.sign_in("carla").reading
    with (
        following(api, mona, path="/inbox/events/stream?sort=priority") as stream,
        following(api, carla, path="/inbox/events/stream") as customers,
    ):
        first = customers.next_of("rows")
        assert first == {"rows": {"WO-2026-900001": "3", "WO-2026-900003": "3"}}
        assert stream.next_of("rows") == {"rows": ask(api, "/inbox/versions?sort=priority", mona)}
        with psycopg.connect(api.settings.database_url) as conn:
            conn.execute("UPDATE device SET connectivity = 'STALE'")
        change = "UPDATE work_order SET inbox_reason = %s, row_version = row_version + 1 WHERE code = %s"
        with psycopg.connect(api.settings.database_url) as conn:
            conn.execute(change, ("NEW", "WO-2026-900005"))
            conn.execute(change, (None, "WO-2026-900000"))
        assert stream.next()[1] == "work_order", "of devices it hears nothing"
        told = stream.next_of("rows")
        assert told == {"rows": ask(api, "/inbox/versions?sort=priority", mona)}
        assert told["rows"] != first["rows"]
        assert customers.next_of("rows") == {"rows": ask(api, "/inbox/versions", carla)}
    for query in ("?customer=%00", "?cursor=nonsense"):  # nothing to show, or the first page
        with following(api, mona, path=f"/inbox/events/stream{query}") as stream:
            assert stream.next()[1] == "ready"
    assert api.client.get("/inbox/events/stream", headers=api.token(Role.ADMIN)).status_code == 403
    assert api.client.get("/inbox/events/stream", headers={**mona, "Last-Event-ID": "x"}).status_code == 422


def test_a_page_is_compressed_and_masks_its_token_each_time(api: Api) -> None:
    make_orders(api)
    api.add_user("mona", Role.SERVICE_MANAGER)
    session = api.sign_in("mona")
    first, second = (api.client.get("/inbox", headers=session.reading) for _ in range(2))
    assert first.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in first.headers["vary"]
    tokens = [TOKEN.findall(page.text)[0] for page in (first, second)]
    assert tokens[0] != tokens[1]
    assert session.csrf_token not in first.text
    for token in tokens:
        form = {"csrf_token": token, "action": "accept"}
        assert api.client.post("/inbox/actions", data=form, headers=session.reading).status_code == 422
    wrong = {"csrf_token": tokens[0][:-3] + "AAA", "action": "accept"}
    assert api.client.post("/inbox/actions", data=wrong, headers=session.reading).status_code == 403
    with api.client.stream("GET", "/inbox", headers={**session.reading, "Accept-Encoding": "identity"}) as plain:
        assert "content-encoding" not in plain.headers
        assert plain.read().startswith(b"<!doctype html>")
    with api.client.stream("GET", "/inbox", headers=session.reading) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())).startswith(b"<!doctype html>")
