"""OpenID Connect over real HTTP: who comes in gets an account, and the roles that the provider's groups give."""

from api.sign_in import COOKIE
from domain.roles import Role
from tests.support.http_api import Api
from tests.support.oidc_browser import OidcBrowser, find_actions
from tests.support.oidc_provider import FIRST_KEY, SECOND_KEY, Provider


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
