"""OpenID Connect over real HTTP: people come in, tie accounts, sign; every way to come in as somebody else fails."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.settings import OidcSettings
from api.sign_in import COOKIE
from domain.roles import Role
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import PASSWORD, Api, find_errors, running_api
from tests.support.oidc_browser import OidcBrowser, read_query
from tests.support.oidc_provider import CLIENT, FIRST_KEY, SECOND_KEY, SECRET, Provider, running_provider

Forge = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def provider(shared_provider: Provider) -> Provider:
    fresh = Provider()
    for name, value in vars(fresh).items():
        if name != "url":
            setattr(shared_provider, name, value)
    return shared_provider


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "client-secret"
    file.write_text(f"{SECRET}\n", "utf-8")
    return file


@pytest.fixture
def settings(provider: Provider, secret_file: Path, tmp_path: Path) -> dict[str, Any]:
    oidc = OidcSettings(issuer=provider.url, client_id=CLIENT, client_secret_file=secret_file, roles="Auditors=auditor")
    return {"oidc": oidc, "public_url": "http://127.0.0.1:8000", "sign_in_key_file": tmp_path / "key"}


@pytest.fixture
def api(database: Database, settings: dict[str, Any]) -> Iterator[Api]:
    with running_api(database.url, **settings) as running:
        yield running


@pytest.fixture
def browser(api: Api) -> OidcBrowser:
    return OidcBrowser(api)


def find_actions(api: Api, name: str) -> list[tuple[str, str]]:
    events = api.get(f"/audit?entity_id={name}", headers=api.token(Role.AUDITOR)).json()["items"]
    return [(event["action"], event["actor"]) for event in events][::-1]


def test_the_first_sign_in_makes_an_account_with_the_roles_of_the_groups(
    api: Api, browser: OidcBrowser, provider: Provider
) -> None:
    provider.person |= {"groups": ["Auditors", "Everybody"]}
    answer = browser.sign_in("/audit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert browser.get("/audit").status_code == 200
    me = browser.get("/api/v1/account").json()
    assert (me["name"], me["full_name"], me["roles"]) == ("anna", "Anna Weber", ["auditor"])
    asked = provider.asked[-1]
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert "prompt" not in asked
    assert find_actions(api, "anna") == [
        ("user.created", "provider"),
        ("user.identity_tied", "provider"),
        ("user.signed_in", "anna"),
    ]
    # The same person again is the same account, under whatever name the provider has it now.
    provider.person |= {"preferred_username": "anna.miller", "groups": ["Auditors"]}
    other = OidcBrowser(api)
    assert other.sign_in().status_code == 303
    assert other.get("/api/v1/account").json()["name"] == "anna"


def test_roles_follow_the_groups_and_sessions_end_where_they_change(
    api: Api, browser: OidcBrowser, provider: Provider
) -> None:
    provider.person |= {"groups": ["Auditors"]}
    browser.sign_in()
    provider.person |= {"groups": []}
    later = OidcBrowser(api)
    refused = later.sign_in()
    assert refused.status_code == 403
    assert "has no roles yet" in later.text
    assert COOKIE not in later.cookies
    assert browser.get("/api/v1/account").status_code == 401
    assert ("user.changed", "provider") in find_actions(api, "anna")


def test_a_name_or_address_that_is_taken_opens_nobody_elses_account(
    api: Api, browser: OidcBrowser, provider: Provider
) -> None:
    api.add_user("root", Role.ADMIN)
    provider.person |= {"preferred_username": "Root", "email": "root@hospital.example", "groups": ["Auditors"]}
    browser.sign_in()
    assert browser.get("/api/v1/account").json()["name"] == "root-2"
    # Another subject that calls itself the same is a third person.
    provider.person |= {"sub": "s-2", "preferred_username": "root-2"}
    third = OidcBrowser(api)
    third.sign_in()
    assert third.get("/api/v1/account").json()["name"] == "root-2-2"


def test_groups_come_from_userinfo_where_the_token_has_none_and_only_of_the_same_subject(
    api: Api, browser: OidcBrowser, provider: Provider
) -> None:
    provider.in_userinfo = {"groups": ["Auditors"]}
    browser.sign_in()
    assert browser.get("/api/v1/account").json()["roles"] == ["auditor"]
    provider.in_userinfo = {"groups": ["Auditors"], "sub": "s-2"}
    assert OidcBrowser(api).sign_in().status_code == 403


def claim(**changes: object) -> Forge:
    return lambda claims: {**claims, **changes}


def without(name: str) -> Forge:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


RULES: list[tuple[Forge, str]] = [
    (claim(nonce="another"), "nonce"),
    (without("nonce"), "nonce"),
    (claim(aud="another-client"), "audience"),
    (claim(aud=[CLIENT, "another-client"]), "authorized_party"),
    (claim(azp="another-client"), "authorized_party"),
    (claim(iss="http://127.0.0.1:1"), "issuer"),
    (claim(exp=int(time.time()) - 3600), "expired"),
    (claim(exp="tomorrow"), "exp"),
    (claim(iat=int(time.time()) + 3600), "issued_at"),
    (claim(iat=int(time.time()) - 200_000), "issued_at"),
    (claim(nbf=int(time.time()) + 3600), "not_before"),
    (claim(sub=""), "subject"),
    (without("sub"), "subject"),
]


def test_a_token_that_breaks_a_rule_opens_nothing(
    api: Api, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.person |= {"groups": ["Auditors"]}
    for forge, why in RULES:
        provider.forge = forge
        browser = OidcBrowser(api)
        caplog.clear()
        assert browser.sign_in().status_code == 403, why
        assert "did not let you in" in browser.text
        assert COOKIE not in browser.cookies
        assert f"ID token: {why}" in caplog.text


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return ".".join(
        (encode(json.dumps({"alg": "none", "kid": key.kid}).encode()), encode(json.dumps(claims).encode()), "")
    )


def signed_with_the_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    # By hand: no library makes this one any more.
    text = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": key.kid}, claims))
    return f"{text}.{encode(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


def signed_by_somebody(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, SECOND_KEY)


def test_a_signature_that_is_not_the_providers_opens_nothing(
    api: Api, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    cases = (
        (unsigned, "algorithm"),
        (signed_with_the_public_key, "algorithm"),
        (signed_by_somebody, "signature"),
    )
    for sign, why in cases:
        provider.sign = sign
        caplog.clear()
        assert OidcBrowser(api).sign_in().status_code == 403, why
        assert f"ID token: {why}" in caplog.text


def test_a_key_that_is_rotated_is_fetched_and_a_withdrawn_one_is_not_believed(api: Api, provider: Provider) -> None:
    provider.person |= {"groups": ["Auditors"]}
    for _ in range(2):
        assert OidcBrowser(api).sign_in().status_code == 303
    assert provider.fetched_keys == 1
    provider.key, provider.published = SECOND_KEY, [SECOND_KEY]
    assert OidcBrowser(api).sign_in().status_code == 303
    assert provider.fetched_keys == 2
    provider.key = FIRST_KEY  # withdrawn: whoever has it now is not the provider
    assert OidcBrowser(api).sign_in().status_code == 403


def test_a_stolen_code_is_of_no_use_in_another_browser(
    api: Api, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.person |= {"groups": ["Auditors"]}
    victim, thief = OidcBrowser(api), OidcBrowser(api)
    back = victim.go_to_provider(victim.get("/sign-in/provider").headers["location"])
    # The whole address, without the cookie of the browser that began: nothing, and it uses nothing up.
    assert thief.get(back).status_code == 403
    # The code alone, with a state and cookie that the thief began himself: the verifier is another one.
    own = read_query(thief.get("/sign-in/provider").headers["location"])
    code = read_query(back)["code"]
    assert thief.get(f"/sign-in/provider/return?code={code}&state={own['state']}").status_code == 403
    assert "the token endpoint answered 400 invalid_grant" in caplog.text
    assert code not in caplog.text
    assert COOKIE not in thief.cookies


def test_a_way_back_is_good_once_and_only_as_it_was_begun(api: Api, provider: Provider, database: Database) -> None:
    provider.person |= {"groups": ["Auditors"]}
    browser = OidcBrowser(api)
    back = browser.go_to_provider(browser.get("/sign-in/provider").headers["location"])
    kept = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    browser.cookies = kept
    assert browser.get(back).status_code == 403  # from the history
    for change in ("state=guessed", "iss=http%3A%2F%2F127.0.0.1%3A1", "code=", "error=access_denied&code="):
        again = OidcBrowser(api)
        path, _, query = again.go_to_provider(again.get("/sign-in/provider").headers["location"]).partition("?")
        changed = "&".join([part for part in query.split("&") if part.partition("=")[0] not in change] + [change])
        assert again.get(f"{path}?{changed}").status_code == 403, change
        assert COOKIE not in again.cookies
    late = OidcBrowser(api)
    back = late.go_to_provider(late.get("/sign-in/provider").headers["location"])
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("UPDATE provider_flow SET expires_at = begun_at")
    assert late.get(back).status_code == 403
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        astray = OidcBrowser(api)
        assert astray.sign_in(target).headers["location"] == "/"


def test_a_provider_that_is_away_or_another_one_is_said_so_and_passwords_go_on(
    database: Database, settings: dict[str, Any], provider: Provider
) -> None:
    for discovery in (
        {"issuer": "http://127.0.0.1:1"},
        {"token_endpoint": "http://provider.example/token"},
        {"jwks_uri": 1},
    ):
        provider.discovery = discovery
        with running_api(database.url, **settings) as api:
            browser = OidcBrowser(api)
            assert browser.get("/sign-in/provider").status_code == 503
            assert "cannot be reached or answers wrongly" in browser.text
    provider.discovery = {}
    with running_api(database.url, **settings) as api:
        api.add_user("local", Role.AUDITOR)
        assert api.sign_in("local")
        page = api.client.get("/sign-in").text
        assert "Sign in with OpenID Connect" in page


def test_passwords_open_no_account_of_the_provider_and_none_but_break_glass_where_they_are_off(
    database: Database, settings: dict[str, Any], provider: Provider
) -> None:
    provider.person |= {"groups": ["Auditors"]}
    with running_api(database.url, **settings, password_sign_in=False, break_glass="root, local") as api:
        for name, role in (("root", Role.ADMIN), ("other", Role.ADMIN), ("local", Role.AUDITOR)):
            api.add_user(name, role)
        assert api.sign_in("root")

        def try_door(name: str) -> int:
            form = {"name": name, "password": PASSWORD}
            return api.client.post("/sign-in", data=form, follow_redirects=False).status_code

        assert [try_door(name) for name in ("other", "local", "nobody")] == [401, 401, 401]
        browser = OidcBrowser(api)
        browser.sign_in()
        with psycopg.connect(api.settings.database_url) as conn:
            # Even with a password that opened another account a moment ago.
            conn.execute("UPDATE app_user SET password_hash = (SELECT password_hash FROM app_user WHERE name = 'root')")
        assert try_door("anna") == 401
        api.client.cookies.clear()


def test_who_comes_by_the_provider_signs_with_a_password_that_it_lets_him_set_once(
    database: Database, settings: dict[str, Any], provider: Provider
) -> None:
    register(database.url, PROFILE, make_devices(1))
    oidc = settings["oidc"]
    settings["oidc"] = OidcSettings(
        **{name: getattr(oidc, name) for name in ("issuer", "client_id", "client_secret_file")},
        roles="Managers=service_manager",
    )
    provider.person |= {"groups": ["Managers"]}
    with running_api(database.url, **settings) as api:
        browser = OidcBrowser(api)
        browser.sign_in()
        session = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        csrf = api.get("/account", headers=session).json()["csrf_token"]
        writing = {**session, "X-CSRF-Token": csrf}
        asked = api.post("/account/second-factor", headers=writing, json={"password": "x"})
        assert (asked.status_code, asked.json()["guard"]) == (409, "provider_account")
        # Without a password nothing is signed, and the refusal says why.
        order = api.post(
            "/work-orders", headers=writing, json={"serial": "T-0000", "fault_group": "tank", "description": "leaks"}
        ).json()["code"]

        def close(password: str) -> Mapping[str, str]:
            body = {"to": "CLOSED", "password": password, "meaning": "Reviewed"}
            headers = {**writing, "If-Match": api.get(f"/work-orders/{order}", headers=session).headers["etag"]}
            refused = api.post(f"/work-orders/{order}/transitions", headers=headers, json=body)
            return {"guard": refused.json().get("guard", ""), **find_errors(refused)}

        assert close("whatever")["password"].startswith("you sign in at the provider and have no password to sign with")
        wish = {"current": "", "new": "a password to sign with"}
        refused = api.post("/account/password", headers=writing, json=wish)
        assert (refused.status_code, refused.json()["guard"]) == (409, "not_reauthenticated")

        # The provider asks again; an old sign-in there does not do.
        def ask() -> int:
            shown = browser.post("/password/provider")
            assert shown.status_code == 200
            link = browser.text.partition(f'href="{provider.url}')[2].partition('"')[0]
            return browser.get(browser.go_to_provider(provider.url + link)).status_code

        provider.auth_age_s = 600
        assert ask() == 403
        provider.auth_age_s = 0
        provider.person |= {"sub": "s-2"}  # somebody else at the same desk
        assert ask() == 403
        assert api.post("/account/password", headers=writing, json=wish).status_code == 409
        provider.person |= {"sub": "s-1"}
        assert ask() == 303
        assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
        assert api.post("/account/password", headers=writing, json=wish).status_code == 204
        # Now it is the life-cycle that says no, and no longer the signature.
        assert close("not that one")["password"] == "is not your password"
        assert close(wish["new"]) == {"guard": "no_such_transition"}
        again = {"current": "", "new": "another password to sign"}
        assert api.post("/account/password", headers=writing, json=again).status_code == 409  # good once
        form = {"name": "anna", "password": "a password to sign with"}
        assert api.client.post("/sign-in", data=form).status_code == 401  # and opens nothing
        reset = api.post("/users/anna/password-reset", headers=api.token(Role.ADMIN), json={"reason": "asked"})
        assert (reset.status_code, reset.json()["guard"]) == (409, "provider_account")


def test_an_account_is_tied_by_its_owner_with_the_password_and_untied_by_an_administrator(
    api: Api, provider: Provider
) -> None:
    api.add_user("local", Role.DISPATCHER)
    api.add_user("second", Role.DISPATCHER)
    provider.person |= {"groups": ["Auditors"]}
    browser = OidcBrowser(api, {COOKIE: api.sign_in("local").cookie})
    other = api.sign_in("local")

    def tie(through: OidcBrowser, password: str) -> int:
        shown = through.post("/account/identity", password=password)
        if shown.status_code != 200:
            return shown.status_code
        link = through.text.partition(f'href="{provider.url}')[2].partition('"')[0]
        return through.get(through.go_to_provider(provider.url + link)).status_code

    assert tie(browser, "wrong") == 422
    assert tie(browser, PASSWORD) == 303
    assert api.get("/account", headers=other.reading).status_code == 401
    second = OidcBrowser(api, {COOKIE: api.sign_in("second").cookie})
    assert tie(second, PASSWORD) == 409  # that identity is local's
    person = OidcBrowser(api)
    person.sign_in()
    assert person.get("/api/v1/account").json()["name"] == "local"
    untied = api.post("/users/local/identity/removal", headers=api.token(Role.ADMIN), json={"reason": "left"})
    assert untied.status_code == 204
    assert person.get("/api/v1/account").status_code == 401
    assert [action for action, _ in find_actions(api, "local") if "identity" in action] == [
        "user.identity_tied",
        "user.identity_untied",
    ]


def test_only_accounts_that_were_tied_come_in_where_no_new_ones_are_made(
    database: Database, settings: dict[str, Any], provider: Provider
) -> None:
    oidc = settings["oidc"]
    closed = OidcSettings(oidc.issuer, oidc.client_id, oidc.client_secret_file, new_accounts=False)
    with running_api(database.url, **{**settings, "oidc": closed}) as api:
        browser = OidcBrowser(api)
        assert browser.sign_in().status_code == 403
        assert "Nobody here is tied to your identity" in browser.text


def test_a_disabled_account_does_not_come_in_by_the_provider(
    api: Api, browser: OidcBrowser, provider: Provider
) -> None:
    provider.person |= {"groups": ["Auditors"]}
    browser.sign_in()
    admin = api.token(Role.ADMIN)
    etag = api.get("/users/anna", headers=admin).headers["etag"]
    body = {"status": "DISABLED", "reason": "left"}
    changed = api.request("PATCH", "/users/anna", headers={**admin, "If-Match": etag}, json=body)
    assert changed.status_code == 200
    assert browser.get("/api/v1/account").status_code == 401
    assert OidcBrowser(api).sign_in().status_code == 403
