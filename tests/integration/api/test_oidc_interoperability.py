"""Signing in at a provider that others wrote (Authlib's, as oidc-provider-mock), as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.settings import OidcSettings
from tests.support.databases import Database
from tests.support.http_api import running_api
from tests.support.oidc_browser import OidcBrowser
from tests.support.services import find_free_port
from tests.support.waiting import wait_until


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/openid-configuration", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    port = find_free_port()
    url = f"http://localhost:{port}"
    with (tmp_path / "provider.log").open("wb") as log:
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--host", "localhost"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or answers(url), what="the provider", timeout_s=60)
            assert process.poll() is None, (tmp_path / "provider.log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(60)


def test_people_of_a_provider_that_others_wrote_come_in(database: Database, issuer: str, tmp_path: Path) -> None:
    claims = {"preferred_username": "mei.lin", "name": "林美", "groups": ["svc-managers"]}
    assert httpx.put(f"{issuer}/users/subject-7", json=claims).status_code == 204
    secret = tmp_path / "client-secret"
    secret.write_text("of this client", "utf-8")
    oidc = OidcSettings(issuer, "forewarn", secret, roles="svc-managers=service_manager")
    with running_api(database.url, oidc=oidc, public_url="http://127.0.0.1:8000") as api:
        browser = OidcBrowser(api)
        address = browser.get("/sign-in/provider?next=/inbox").headers["location"]
        given = httpx.post(address, data={"sub": "subject-7"}, follow_redirects=False)
        assert given.status_code == 302, given.text
        back = given.headers["location"].partition(":8000")[2]
        answer = browser.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/inbox"), browser.text
        me = browser.get("/api/v1/account").json()
        assert (me["name"], me["full_name"], me["roles"]) == ("mei.lin", "林美", ["service_manager"])
        # Who says no there does not come in here.
        other = OidcBrowser(api)
        address = other.get("/sign-in/provider").headers["location"]
        denied = httpx.post(address, data={"action": "deny"}, follow_redirects=False)
        query = denied.headers["location"].partition("?")[2]
        assert "error=access_denied" in query
        assert other.get(f"/sign-in/provider/return?{query}").status_code == 403
