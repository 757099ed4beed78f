"""Signing in, being locked out, CSRF, sessions, passwords, tokens and accounts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import psycopg

from api.passwords import hash_secret
from api.sign_in import CodeWanted, SignedIn, SignInRefused, check_password, sign_in
from api.state import now
from domain.audit import Actor
from domain.audit_user import signed_in
from domain.roles import Role
from store.audit import record_audit
from store.pool import open_connection
from tests.support.http_api import PASSWORD, Api, find_errors


def attempt(
    api: Api, name: str, password: str, at: datetime, address: str = "192.0.2.1"
) -> SignedIn | CodeWanted | SignInRefused:
    return sign_in(
        api.state.pool,
        api.settings,
        api.state.attempts,
        name=name,
        password=password,
        address=address,
        at=at,
        request_id="test",
    )


def test_the_fifth_wrong_password_locks_with_back_off_and_the_right_one_unlocks(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    at = now()
    for _ in range(5):
        assert attempt(api, "anna", "wrong", at) == SignInRefused("wrong")
    assert attempt(api, "anna", PASSWORD, at) == SignInRefused("locked", 30.0)
    later = at + timedelta(seconds=31)
    assert attempt(api, "anna", "wrong", later) == SignInRefused("wrong")
    assert attempt(api, "anna", PASSWORD, later) == SignInRefused("locked", 60.0)
    assert isinstance(attempt(api, "anna", PASSWORD, later + timedelta(seconds=61)), SignedIn)
    assert attempt(api, "anna", "wrong", later + timedelta(seconds=62)) == SignInRefused("wrong")
    assert isinstance(attempt(api, "anna", PASSWORD, later + timedelta(seconds=63)), SignedIn)


def test_an_unknown_name_answers_as_a_known_one(api: Api) -> None:
    at = now()
    answers = [attempt(api, "nobody", "wrong", at) for _ in range(6)]
    assert answers == [SignInRefused("wrong")] * 5 + [SignInRefused("locked", 30.0)]


def test_guesses_at_once_are_all_counted(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    at = now()
    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: attempt(api, "anna", "wrong", at), range(10)))
    assert answers.count(SignInRefused("wrong")) == 5
    assert answers.count(SignInRefused("locked", 30.0)) == 5


def test_an_address_is_held_up_after_many_failures_whoever_it_asks_for(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    at = now()
    for i in range(30):
        assert attempt(api, f"name{i}", "wrong", at) == SignInRefused("wrong")
    assert attempt(api, "anna", PASSWORD, at) == SignInRefused("locked", 600.0)
    assert isinstance(attempt(api, "anna", PASSWORD, at, address="192.0.2.2"), SignedIn)


def test_a_disabled_account_neither_signs_in_nor_stays(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    session = api.sign_in("anna")
    admin = api.token(Role.ADMIN)
    assert api.get("/account", headers=session.reading).json()["name"] == "anna"
    etag = api.get("/users/anna", headers=admin).headers["etag"]
    body = {"status": "DISABLED", "reason": "left"}
    changed = api.request("PATCH", "/users/anna", headers={**admin, "If-Match": etag}, json=body)
    assert changed.status_code == 200
    assert api.get("/account", headers=session.reading).status_code == 401
    assert attempt(api, "anna", PASSWORD, now()) == SignInRefused("wrong")


def test_a_change_by_cookie_needs_the_sessions_own_csrf_token_and_page(api: Api) -> None:
    api.add_user("boss", Role.ENGINEER)
    api.add_user("other", Role.ENGINEER)
    session, other = api.sign_in("boss"), api.sign_in("other")
    body = {"serial": "NEW-1", "model": "TEST-100"}
    for headers in (
        session.reading,
        {**session.reading, "X-CSRF-Token": "guess"},
        {**session.reading, "X-CSRF-Token": other.csrf_token},
        {**session.writing, "Sec-Fetch-Site": "cross-site"},
        {**session.writing, "Origin": "https://evil.example"},
    ):
        refused = api.post("/devices", headers=headers, json=body)
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:forewarn:problem:csrf"
    assert api.post("/devices", headers=session.writing, json=body).status_code == 201


def test_a_session_ends_by_time_by_idling_and_by_signing_out(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    first, second, third = api.sign_in("anna"), api.sign_in("anna"), api.sign_in("anna")
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE app_session SET expires_at = now() WHERE token_hash = %s", (hash_secret(first.cookie),))
        conn.execute(
            "UPDATE app_session SET last_used_at = now() - interval '61 minutes' WHERE token_hash = %s",
            (hash_secret(second.cookie),),
        )
    assert api.get("/account", headers=first.reading).status_code == 401
    assert api.get("/account", headers=second.reading).status_code == 401
    assert api.get("/account", headers=third.reading).status_code == 200
    with psycopg.connect(api.settings.database_url) as conn:
        kept = conn.execute(
            "SELECT count(*) FROM app_session WHERE position(%s in token_hash) > 0", (third.cookie.encode(),)
        )
        assert kept.fetchone() == (0,), "the token itself is kept nowhere"
    assert api.client.post("/sign-out", headers=third.writing).status_code == 303
    assert api.get("/account", headers=third.reading).status_code == 401


def test_who_must_change_the_password_can_do_nothing_else(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR, must_change_password=True)
    session, elsewhere = api.sign_in("anna"), api.sign_in("anna")
    refused = api.get("/devices", headers=session.reading)
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:forewarn:problem:password-change-required"
    assert api.get("/account", headers=session.reading).json()["must_change_password"] is True
    # The page on which one is chosen leads nowhere else, and waits for no news that this session may not hear.
    door = api.client.get("/password", headers=session.reading).text
    assert [word for word in ('href="/devices"', 'id="live"', 'id="find"') if word in door] == []

    def change(current: str, new: str) -> dict[str, str]:
        response = api.post("/account/password", headers=session.writing, json={"current": current, "new": new})
        return dict(find_errors(response)) if response.status_code != 204 else {}

    assert set(change("wrong", "a new long password")) == {"current"}
    assert set(change(PASSWORD, "short")) == {"new"}
    assert set(change(PASSWORD, "aaaaaaaaaaaaaaaa")) == {"new"}
    assert set(change(PASSWORD, "anna is my name")) == {"new"}
    assert set(change(PASSWORD, PASSWORD)) == {"new"}
    assert change(PASSWORD, "a new long password") == {}
    assert api.get("/devices", headers=session.reading).status_code == 200
    door = api.client.get("/password", headers=session.reading).text
    assert [word for word in ('href="/devices"', 'id="live"', 'id="find"') if word not in door] == []
    assert api.get("/account", headers=elsewhere.reading).status_code == 401, "other sessions have ended"
    assert isinstance(attempt(api, "anna", "a new long password", now()), SignedIn)


def test_asking_the_password_again_counts_towards_the_lock(api: Api) -> None:
    api.add_user("anna", Role.SERVICE_MANAGER)
    at = now()
    assert check_password(api.state.pool, "anna", PASSWORD, at=at, request_id="t") is None
    for _ in range(5):
        check_password(api.state.pool, "anna", "wrong", at=at, request_id="t")
    assert check_password(api.state.pool, "anna", PASSWORD, at=at, request_id="t") == SignInRefused("locked", 30.0)


def test_a_token_is_shown_once_kept_hashed_and_ends_when_revoked(api: Api) -> None:
    admin = api.token(Role.ADMIN)
    key = {"Idempotency-Key": "make-erp-token"}
    body = {"name": "erp", "role": "integrator"}
    made = api.post("/tokens", headers={**admin, **key}, json=body)
    assert made.status_code == 201
    secret, token = made.json()["secret"], made.json()["token"]
    again = api.post("/tokens", headers={**admin, **key}, json=body)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == {"token": token, "secret": ""}
    with psycopg.connect(api.settings.database_url) as conn:
        assert conn.execute("SELECT token_hash FROM api_token WHERE name = 'erp'").fetchone() == (hash_secret(secret),)
        dump = " ".join(str(row) for row in conn.execute("SELECT response::text FROM idempotency_key"))
        assert secret not in dump
    headers = {"Authorization": f"Bearer {secret}"}
    assert api.get("/account", headers=headers).json()["name"] == "token:erp"
    assert api.post("/tokens", headers=admin, json=body).status_code == 409
    for _ in range(2):
        assert api.request("DELETE", f"/tokens/{token['id']}", headers=admin).status_code == 204
    assert api.get("/account", headers=headers).status_code == 401
    listed = {t["name"]: t for t in api.get("/tokens", headers=admin).json()["items"]}
    assert listed["erp"]["revoked_at"] is not None
    assert listed["erp"]["last_used_at"] is not None
    past = {"name": "old", "role": "integrator", "expires_at": "2020-01-01T00:00:00Z"}
    assert set(find_errors(api.post("/tokens", headers=admin, json=past))) == {"expires_at"}


def test_an_account_is_made_changed_and_protected_from_its_own_administrator(api: Api) -> None:
    api.add_user("root", Role.ADMIN)
    headers = api.sign_in("root").writing
    made = api.post("/users", headers=headers, json={"name": "mei", "full_name": "Mei Wang", "roles": ["technician"]})
    assert made.status_code == 201
    assert isinstance(attempt(api, "mei", made.json()["initial_password"], now()), SignedIn)
    for body, field in (
        ({"name": "x", "full_name": "X", "roles": ["customer"]}, "customer"),
        ({"name": "x", "full_name": "X", "roles": ["customer", "admin"], "customer": "T-C0"}, "roles"),
        ({"name": "x", "full_name": "X", "roles": ["customer"], "customer": "nobody"}, "customer"),
        ({"name": "Bad Name", "full_name": "X", "roles": ["auditor"]}, "name"),
    ):
        assert field in find_errors(api.post("/users", headers=headers, json=body))
    assert (
        api.post("/users", headers=headers, json={"name": "mei", "full_name": "M", "roles": ["auditor"]}).status_code
        == 409
    )

    change = {"roles": ["technician", "dispatcher"], "reason": "covers for Anna"}
    assert api.request("PATCH", "/users/mei", headers=headers, json=change).status_code == 428
    odd = api.request("PATCH", "/users/mei", headers={**headers, "If-Match": "three"}, json=change)
    assert set(find_errors(odd)) == {"If-Match"}
    done = api.request("PATCH", "/users/mei", headers={**headers, "If-Match": '"1"'}, json=change)
    assert done.json()["roles"] == ["dispatcher", "technician"]
    assert done.headers["etag"] == '"2"'
    with open_connection(api.settings.database_url, application="test") as conn:
        record_audit(conn, Actor("mei", "auditor", "account.use"), signed_in("mei"))  # the newest event, and no change
    stale = api.request("PATCH", "/users/mei", headers={**headers, "If-Match": '"1"'}, json=change)
    assert stale.status_code == 412
    assert stale.json()["current"]["row_version"] == 2
    assert stale.json()["current"]["changed_by"] == "root"

    own = api.request(
        "PATCH", "/users/root", headers={**headers, "If-Match": '"1"'}, json={"roles": ["auditor"], "reason": "x"}
    )
    assert own.status_code == 409
    assert own.json()["guard"] == "own_account"
    reset = api.post("/users/mei/password-reset", headers=headers, json={"reason": "forgot it"})
    assert isinstance(attempt(api, "mei", reset.json()["initial_password"], now()), SignedIn)
    names = [u["name"] for u in api.get("/users?limit=1", headers=headers).json()["items"]]
    assert names == ["mei"]


def test_every_change_of_accounts_stands_in_the_audit(api: Api) -> None:
    api.add_user("root", Role.ADMIN)
    headers = api.sign_in("root").writing
    api.post("/users", headers=headers, json={"name": "mei", "full_name": "Mei", "roles": ["technician"]})
    api.post("/tokens", headers=headers, json={"name": "erp", "role": "integrator"})
    auditor = api.token(Role.AUDITOR)
    page = api.get("/audit", headers=auditor).json()
    actions = [(e["action"], e["actor"], e["role"]) for e in page["items"]][:3]
    assert actions == [
        ("token.created", "root", "admin"),
        ("user.created", "root", "admin"),
        ("user.signed_in", "root", ""),
    ]
    assert api.get("/audit/verify", headers=auditor).json()["holds"] is True
    text = api.get("/audit?limit=500", headers=auditor).text
    assert "argon2" not in text
    first = api.get("/audit?limit=1", headers=auditor).json()
    second = api.get(f"/audit?limit=1&cursor={first['next_cursor']}", headers=auditor).json()
    assert second["items"][0]["seq"] == first["items"][0]["seq"] - 1


def test_the_consoles_form_changes_a_password_as_the_api_does(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    here, elsewhere = api.sign_in("anna"), api.sign_in("anna")

    def submit(current: str, new: str) -> int:
        form = {"current": current, "new": new, "csrf_token": here.csrf_token}
        return api.client.post("/password", data=form, headers=here.reading, follow_redirects=False).status_code

    assert submit("wrong", "a new and better one") == 422
    assert submit(PASSWORD, "aaaaaaaaaaaaaaaa") == 422
    assert submit(PASSWORD, "anna's own secret") == 422
    assert submit(PASSWORD, "b" * 40 + "long and varied" * 20) == 422
    assert api.get("/account", headers=elsewhere.reading).status_code == 200
    assert submit(PASSWORD, "a new and better one") == 303
    assert api.get("/account", headers=here.reading).status_code == 200
    assert api.get("/account", headers=elsewhere.reading).status_code == 401
    with psycopg.connect(api.settings.database_url) as conn:
        audited = conn.execute("SELECT actor FROM audit_event WHERE action = 'user.password_changed'").fetchall()
    assert audited == [("anna",)]


def test_after_a_new_password_a_technician_stands_before_the_own_jobs(api: Api) -> None:
    api.add_user("tina", Role.TECHNICIAN)
    here = api.sign_in("tina")
    form = {"current": PASSWORD, "new": "a new and better one", "csrf_token": here.csrf_token}
    taken = api.client.post("/password", data=form, headers=here.reading, follow_redirects=False)
    assert taken.headers["location"] == "/my?done=password"
    assert api.client.get(taken.headers["location"], headers=here.reading).status_code == 200
