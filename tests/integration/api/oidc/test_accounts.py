"""Accounts of people whom a provider lets in: passwords, signatures, ties to an identity, and accounts switched off."""

from collections.abc import Mapping
from typing import Any

import psycopg

from api.settings import OidcSettings
from api.sign_in import COOKIE
from domain.roles import Role
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import PASSWORD, Api, find_errors, running_api
from tests.support.oidc_browser import OidcBrowser, find_actions
from tests.support.oidc_provider import Provider


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
