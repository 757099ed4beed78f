"""What holds for every answer: headers, problems, request ids, sizes."""

import re

from domain.roles import Role
from tests.support.http_api import Api, find_errors


def test_every_answer_has_the_security_headers_and_an_id_of_its_own(api: Api) -> None:
    first, second = api.get("/health/live"), api.get("/health/live")
    assert first.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert "unsafe" not in first.headers["content-security-policy"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in first.headers
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


def test_without_credentials_the_problem_says_so(api: Api) -> None:
    response = api.get("/devices")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="forewarn"'
    problem = response.json()
    assert problem["type"] == "urn:forewarn:problem:unauthenticated"
    assert problem["instance"] == f"urn:forewarn:request:{response.headers['x-request-id']}"


def test_a_wrong_token_is_no_token(api: Api) -> None:
    for header in ("Bearer fw_nonsense", "Bearer", "Basic YTpi", "Bearer " + "x" * 5000):
        assert api.get("/devices", headers={"Authorization": header}).status_code == 401


def test_a_missing_permission_is_named(api: Api) -> None:
    response = api.get("/audit", headers=api.token(Role.TECHNICIAN))
    assert response.status_code == 403
    assert response.json()["permission"] == "audit.read"


def test_an_unknown_path_and_method_are_problems(api: Api) -> None:
    missing = api.get("/nothing-here")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:forewarn:problem:no-such-path"
    wrong = api.request("PUT", "/api/v1/health/live")
    assert wrong.status_code == 405
    assert wrong.headers["content-type"] == "application/problem+json"
    assert "GET" in wrong.headers["allow"]


def test_a_405_names_every_method_of_the_address(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    for path, method, allowed in (
        ("/devices", "DELETE", "GET, POST"),
        ("/devices", "OPTIONS", "GET, POST"),
        ("/work-orders/transitions", "PUT", "POST"),  # not what /work-orders/{code} takes
        ("/rejections/replay", "GET", "POST"),  # the word stands where another route has an id
        ("/capas/CAPA-1/actions/1", "PATCH", "GET, PUT"),
    ):
        answer = api.client.request(method, f"/api/v1{path}", headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), path


def test_validation_names_query_and_body_fields(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    assert "limit" in find_errors(api.get("/devices?limit=0", headers=headers))
    response = api.post("/devices", headers=headers, json={"serial": "bad serial!", "model": "TEST-100", "colour": 1})
    assert response.status_code == 422
    assert set(find_errors(response)) == {"serial", "colour"}


def test_a_body_that_cannot_be_read_is_a_problem_of_the_body(api: Api) -> None:
    headers = {**api.token(Role.ENGINEER), "Content-Type": "application/json"}
    for content in (b"{not json", b"\xff\xfe{", b"[" * 100_000, b"\x00"):
        answer = api.post("/devices", headers=headers, content=content)
        assert answer.status_code == 422, content[:10]
        assert len(find_errors(answer)) == 1, content[:10]


def test_half_a_character_and_endless_numbers_are_refused(api: Api) -> None:
    headers = {**api.token(Role.SERVICE_MANAGER), "Content-Type": "application/json"}
    terms = ",".join(f'"P{n}": {{"response_h": 1, "resolution_h": 8}}' for n in range(1, 5))
    policy = f'{{"code": "x", "name": "X", "terms": {{{terms}}}, "service_calendar": "\\ud800"}}'.encode()
    assert "unicode" in api.post("/sla-policies", headers=headers, content=policy).json()["detail"]
    api.add_user("tom", Role.TECHNICIAN)
    answers = b'{"answers": [{"item": "flow", "value": 1000000000000000000000}]}'
    path = "/work-orders/WO-1/checklists/1/answers"
    technician = {**api.sign_in("tom").writing, "Content-Type": "application/json"}
    assert "64-bit" in api.post(path, headers=technician, content=answers).json()["detail"]


def test_a_form_that_cannot_be_read_is_a_problem_too(api: Api) -> None:
    api.add_user("eva", Role.ENGINEER)
    session = {**api.sign_in("eva").reading, "Content-Type": "multipart/form-data"}  # its CSRF token may be in a form
    answer = api.post("/devices", headers=session, content=b"no boundary is named")
    assert set(find_errors(answer)) == {"body"}


def test_a_parameter_that_no_route_knows_is_refused_and_declared_everywhere(api: Api) -> None:
    headers = api.token(Role.AUDITOR)
    for path in ("/account", "/health", "/health/live", "/metrics", "/device-models", "/audit/verify"):
        assert set(find_errors(api.get(f"{path}?surprise=1", headers=headers))) == {"surprise"}, path
        large = api.request("GET", path, headers=headers, content=b"x" * (api.settings.max_body_bytes + 1))
        assert large.status_code == 413, path


def test_instants_and_days_are_written_out(api: Api) -> None:
    headers = api.token(Role.AUDITOR)
    for path, good, bad in (
        (
            "/audit",
            "2026-11-22T08:00:00%2B01:00",
            ("0", "1700000000", "2026-11-22", "2026-11-22T08:00:00", "1969-12-31T23:00:00Z"),
        ),
        (
            "/data-quality/summary",
            "2026-11-22",
            ("0", "20261122", "2026-11-22T00:00:00", "0001-01-01", "9999-12-31"),
        ),
    ):
        for text in bad:
            assert set(find_errors(api.get(f"{path}?to={text}", headers=headers))) == {"to"}, text
        assert api.get(f"{path}?to={good}", headers=headers).status_code == 200


def test_a_large_body_is_refused_by_its_length_and_while_it_comes(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    big = b"x" * (api.settings.max_body_bytes + 1)
    declared = api.post("/devices", headers=headers, content=big)
    assert declared.status_code == 413
    streamed = api.post("/devices", headers=headers, content=iter([big[: len(big) // 2], big[len(big) // 2 :]]))
    assert streamed.status_code == 413
    assert streamed.json()["type"] == "urn:forewarn:problem:too-large"


def test_nul_and_odd_unicode_in_filters_are_no_failures(api: Api) -> None:
    headers = api.token(Role.ENGINEER)
    for text in ("%00", "%27%3B--", "%F0%9F%A9%BA", "%25"):
        assert api.get(f"/devices?q={text}", headers=headers).status_code in (200, 422)
        assert api.get(f"/devices/{text}", headers=headers).status_code in (404, 422)


def test_the_reference_is_one_page_without_script(api: Api) -> None:
    page = api.client.get("/docs")
    assert page.status_code == 200
    assert "/api/v1/work-orders/{code}/transitions" in page.text
    assert not re.search(r"<script|(src|href)=.https?://|style=", page.text)  # addresses in examples are text
    style = api.client.get("/docs/reference.css")
    assert style.headers["content-type"].startswith("text/css")


def test_https_makes_cookies_and_transport_strict(api: Api) -> None:
    from dataclasses import replace

    from starlette.responses import Response

    from api.sign_in import find_cookie_name, set_session_cookie, sign_in
    from api.state import now
    from tests.support.http_api import PASSWORD

    api.add_user("anna", Role.AUDITOR)
    https = replace(api.settings, public_url="https://forewarn.example")
    outcome = sign_in(
        api.state.pool,
        https,
        api.state.attempts,
        name="anna",
        password=PASSWORD,
        address="192.0.2.1",
        at=now(),
        request_id="test",
    )
    response = Response()
    set_session_cookie(response, https, outcome)  # type: ignore[arg-type]
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-forewarn_session=")
    assert find_cookie_name(https) == "__Host-forewarn_session"
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
