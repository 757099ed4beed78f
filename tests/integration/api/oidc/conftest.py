"""A provider of OpenID Connect, and an API that lets its people in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import OidcSettings
from tests.support.databases import Database
from tests.support.http_api import Api, running_api
from tests.support.oidc_browser import OidcBrowser
from tests.support.oidc_provider import CLIENT, SECRET, Provider, running_provider


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
