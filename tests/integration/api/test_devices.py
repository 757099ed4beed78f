"""The installed base by REST: lists that hold still, details, registering once."""

from concurrent.futures import ThreadPoolExecutor

import psycopg

from domain.roles import Role
from tests.support.http_api import Api, find_errors


def test_pages_neither_skip_nor_repeat_while_devices_come(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    seen, cursor = [], ""
    for turn in range(10):
        page = api.get(f"/devices?q=T-0&limit=2{cursor}", headers=headers).json()
        seen += [d["serial"] for d in page["items"]]
        if turn == 0:  # one before the cursor, one behind it
            for serial in ("T-00000", "T-00035"):
                assert (
                    api.post("/devices", headers=headers, json={"serial": serial, "model": "TEST-100"}).status_code
                    == 201
                )
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["T-0000", "T-0001", "T-0002", "T-0003", "T-00035", "T-0004", "T-0005"]


def test_a_cursor_of_another_list_or_none_at_all_is_named(api: Api) -> None:
    headers = api.token(Role.AUDITOR)
    foreign = api.get("/audit?limit=1", headers=headers).json()["next_cursor"]
    for cursor in ("nonsense", "%00", "bnVsbA", foreign or "WzFd"):
        assert set(find_errors(api.get(f"/devices?cursor={cursor}", headers=headers))) == {"cursor"}


def test_a_parameter_that_no_route_knows_is_refused_by_name(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    misspelt = api.get("/work-orders?serial=T-0003&limit=1", headers=headers)
    assert misspelt.status_code == 422
    assert set(find_errors(misspelt)) == {"serial"}
    near = find_errors(api.get("/devices/T-0003/readings?sensor=flow&point=10", headers=headers))
    assert "did you mean points?" in near["point"]
    assert api.get("/devices/T-0003?serial=1", headers=headers).status_code == 422
    assert api.get("/devices/T-0003?", headers=headers).status_code == 200


def test_filters(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET connectivity = 'ONLINE', firmware = '2.0.0' WHERE serial = 'T-0003'")

    def find(query: str) -> list[str]:
        return [d["serial"] for d in api.get(f"/devices?{query}", headers=headers).json()["items"]]

    assert find("connectivity=ONLINE") == ["T-0003"]
    assert find("firmware=2.0.0") == ["T-0003"]
    assert find("customer=T-C1") == ["T-0001", "T-0003", "T-0005"]
    assert find("q=hospital%200&model=TEST-100") == ["T-0000", "T-0002", "T-0004"]
    assert find("q=100%25") == []


def test_one_device_with_its_surroundings(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("SELECT ensure_reading_partitions(ARRAY['2026-11-20'::date, '2026-11-21'::date])")
        conn.execute(
            "INSERT INTO reading (series_id, observed_at, value, flags) SELECT s.id, t.at, t.value, 0 FROM series s "
            "JOIN device d ON d.id = s.device_id, (VALUES ('2026-11-21 10:00Z'::timestamptz, 42.5), "
            "('2026-11-20 10:00Z', 7)) AS t (at, value) WHERE d.serial = 'T-0000' AND s.sensor = 'level'"
        )
        conn.execute(
            "INSERT INTO service_contract (code, customer_id, coverage, starts_on, ends_on) "
            "SELECT 'K-1', id, 'full', '2020-01-01', '2099-01-01' FROM customer WHERE code = 'T-C0'"
        )
        conn.execute(
            "INSERT INTO device_event (device_id, observed_at, received_at, code, severity, message) "
            "SELECT id, '2026-11-21 09:00Z', now(), 'E1042', 'MAJOR', 'occlusion' FROM device WHERE serial = 'T-0000'"
        )
        conn.execute(
            "INSERT INTO firmware_report (device_id, observed_at, received_at, component, version, state, previous) "
            "SELECT id, '2026-11-21 09:00Z', now(), 'main', '1.1.0', 'UPDATED', '1.0.0' FROM device "
            "WHERE serial = 'T-0000'"
        )
    response = api.get("/devices/T-0000", headers=headers)
    device = response.json()
    assert response.headers["etag"] == f'"{device["row_version"]}"'
    assert (device["customer"], device["customer_name"], device["site"]) == ("T-C0", "Hospital 0", "T-S0")
    assert device["contract"]["code"] == "K-1"
    latest = {entry["sensor"]: entry for entry in device["latest"]}
    assert latest["level"]["value"] == 42.5
    assert latest["level"]["unit"] == "%"
    assert latest["flow"]["value"] is None
    first = api.get("/devices/T-0000/history?limit=1", headers=headers).json()
    second = api.get(f"/devices/T-0000/history?limit=1&cursor={first['next_cursor']}", headers=headers).json()
    assert [e["items"][0]["field"] for e in (first, second)] == ["firmware:main", "E1042"]
    assert second["next_cursor"] is None


def test_a_new_device_is_there_with_its_series_and_overwrites_nothing(api: Api) -> None:
    headers = api.token(Role.DATA_STEWARD)
    body = {
        "serial": "MY-0001",
        "model": "TEST-100",
        "customer": "T-C0",
        "customer_name": "Another name",
        "site": "NEW-SITE",
        "site_time_zone": "Europe/Berlin",
    }
    made = api.post("/devices", headers=headers, json=body)
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/devices/MY-0001"
    assert made.json()["customer_name"] == "Hospital 0"
    assert made.json()["site_time_zone"] == "Europe/Berlin"
    assert [entry["sensor"] for entry in made.json()["latest"]] == ["flow", "level", "number"]
    for change, field in (
        ({"serial": "MY-0001"}, "serial"),
        ({"serial": "MY-0002", "model": "none"}, "model"),
        ({"serial": "MY-0002", "customer": "T-C1"}, "site"),
        ({"serial": "MY-0002", "customer": ""}, "customer"),
        ({"serial": "MY-0002", "site_time_zone": "Mars/Olympus"}, "site_time_zone"),
    ):
        refused = api.post("/devices", headers=headers, json={**body, **change})
        assert refused.status_code == (409 if field == "serial" else 422)
        assert set(find_errors(refused)) == {field}
    assert api.get("/devices/MY-0002", headers=headers).status_code == 404


def test_a_repeated_post_is_done_once_even_at_the_same_time(api: Api) -> None:
    headers = {**api.token(Role.ENGINEER), "Idempotency-Key": "register-my-1"}
    body = {"serial": "MY-0001", "model": "TEST-100"}
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: api.post("/devices", headers=headers, json=body), range(4)))
    assert [a.status_code for a in answers] == [201] * 4
    assert all(a.json() == answers[0].json() for a in answers)
    assert sorted(a.headers.get("idempotent-replayed", "") for a in answers) == ["", "true", "true", "true"]
    other = api.post("/devices", headers=headers, json={**body, "serial": "MY-0002"})
    assert set(find_errors(other)) == {"Idempotency-Key"}
    with psycopg.connect(api.settings.database_url) as conn:
        entries = conn.execute("SELECT count(*) FROM audit_event WHERE action = 'device.registered'").fetchone()
    assert entries == (1,)


def test_a_refused_post_keeps_nothing_under_its_key(api: Api) -> None:
    headers = {**api.token(Role.ENGINEER), "Idempotency-Key": "register-my-1"}
    assert api.post("/devices", headers=headers, json={"serial": "MY-1", "model": "none"}).status_code == 422
    assert api.post("/devices", headers=headers, json={"serial": "MY-1", "model": "TEST-100"}).status_code == 201


def test_models_with_their_profiles(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    assert {m["model"] for m in api.get("/device-models", headers=headers).json()["items"]} == {"TEST-100", "PROBE-1"}
    model = api.get("/device-models/TEST-100?version=1", headers=headers).json()
    assert [s["key"] for s in model["profile"]["sensors"]] == ["level", "flow", "number"]
    assert api.get("/device-models/TEST-100?version=9", headers=headers).status_code == 404


def test_rejections_with_payload_as_it_came(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO rejection (received_at, topic, serial, reason, field, detail, payload) VALUES "
            "(now(), 'forewarn/v1/X/telemetry', 'X', 'not_json', NULL, 'no JSON', '{\"ts\"'::bytea), "
            "(now(), 'forewarn/v1/Y/telemetry', 'Y', 'not_utf8', NULL, 'no text', '\\xff00'::bytea)"
        )
    listed = api.get("/rejections?total=true&limit=1", headers=headers).json()
    assert listed["total"] == 2
    rest = api.get(f"/rejections?cursor={listed['next_cursor']}", headers=headers).json()
    assert len(rest["items"]) == 1
    by_reason = {
        r["reason"]: api.get(f"/rejections/{r['id']}", headers=headers).json() for r in listed["items"] + rest["items"]
    }
    assert by_reason["not_json"]["payload_text"] == '{"ts"'
    assert by_reason["not_utf8"]["payload_text"] is None
    assert by_reason["not_utf8"]["payload_base64"] == "/wA="
    assert [
        r["count"] for r in api.get("/rejections/reasons?from=2020-01-01T00:00:00Z", headers=headers).json()["items"]
    ] == [1, 1]
    assert set(find_errors(api.get("/rejections?reason=nonsense", headers=headers))) == {"reason"}


def test_attributes_stand_beside_the_readings(api: Api) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("""
            INSERT INTO device_attribute (device_id, key, value, observed_at)
            SELECT id, key, value, '2026-11-22T00:00:00Z'
            FROM device,
                (VALUES ('ward', '"ICU 2"'::jsonb), ('lamp', '{"hours": 7}'), ('filter', 'null')) AS said (key, value)
            WHERE serial = 'T-0003'
        """)
    shown = api.get("/devices/T-0003", headers=api.token(Role.ENGINEER)).json()["attributes"]
    assert [(a["key"], a["value"], a["observed_at"]) for a in shown] == [
        ("filter", None, "2026-11-22T00:00:00Z"),
        ("lamp", {"hours": 7}, "2026-11-22T00:00:00Z"),
        ("ward", "ICU 2", "2026-11-22T00:00:00Z"),
    ]
