"""OpenID Connect over real HTTP: every way to come in as somebody else, or twice, fails."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from api.sign_in import COOKIE
from domain.roles import Role
from tests.support.databases import Database
from tests.support.http_api import Api, running_api
from tests.support.oidc_browser import OidcBrowser, read_query
from tests.support.oidc_provider import CLIENT, SECOND_KEY, Provider

Forge = Callable[[dict[str, Any]], dict[str, Any]]


def claim(**changes: object) -> Forge:
    return lambda claims: {**claims, **changes}


def without(name: str) -> Forge:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


DAY = 86_400  # from when the tests were collected: they may run hours later
RULES: list[tuple[Forge, str]] = [
    (claim(nonce="another"), "nonce"),
    (without("nonce"), "nonce"),
    (claim(aud="another-client"), "audience"),
    (claim(aud=[CLIENT, "another-client"]), "authorized_party"),
    (claim(azp="another-client"), "authorized_party"),
    (claim(iss="http://127.0.0.1:1"), "issuer"),
    (claim(exp=int(time.time()) - DAY), "expired"),
    (claim(exp="tomorrow"), "exp"),
    (claim(iat=int(time.time()) + 7 * DAY), "issued_at"),
    (claim(iat=int(time.time()) - 7 * DAY), "issued_at"),
    (claim(nbf=int(time.time()) + 7 * DAY), "not_before"),
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
