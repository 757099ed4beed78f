"""A browser as far as a sign-in at a provider needs one: it keeps cookies of each host and goes where it is sent."""

import html
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx

from domain.roles import Role
from tests.support.http_api import Api


@dataclass
class OidcBrowser:
    """One person's browser; `stop` is the prefix of an address that it does not open, and keeps in `stopped`."""

    api: Api
    cookies: dict[str, str] = field(default_factory=dict)
    page: httpx.Response | None = None

    @property
    def text(self) -> str:
        """What the last page says."""
        assert self.page is not None
        return html.unescape(self.page.text)

    def get(self, path: str) -> httpx.Response:
        """A page of ours, without going on."""
        return self._keep(self.api.client.get(path, headers=self._headers(), follow_redirects=False))

    def post(self, path: str, **form: str) -> httpx.Response:
        """A form of ours, with the CSRF token of the session that is open."""
        token = re.search(r'name="csrf-token" content="([^"]*)"', self.get("/account").text)
        data = {"csrf_token": token.group(1) if token else "", **form}
        return self._keep(self.api.client.post(path, headers=self._headers(), data=data, follow_redirects=False))

    def go_to_provider(self, address: str) -> str:
        """What the provider sends back to us: an address of ours, not opened yet."""
        answer = httpx.get(address, follow_redirects=False, timeout=60, verify=False)
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["location"])
        return f"{parts.path}?{parts.query}"

    def sign_in(self, target: str = "/account") -> httpx.Response:
        """All the way to the provider and back; what our side answers to the return."""
        begun = self.get(f"/sign-in/provider?next={target}")
        assert begun.status_code == 303, begun.text
        return self.get(self.go_to_provider(begun.headers["location"]))

    def _headers(self) -> dict[str, str]:
        # As a browser sends them when another site's page leads here.
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookies} if cookies else {}

    def _keep(self, response: httpx.Response) -> httpx.Response:
        self.page = response
        for name, value in response.cookies.items():
            self.cookies[name] = value
        for header in response.headers.get_list("set-cookie"):
            name = header.partition("=")[0]
            if "Max-Age=0" in header or "expires=Thu, 01 Jan 1970" in header:
                self.cookies.pop(name, None)
        self.api.client.cookies.clear()
        return response


def read_query(address: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def find_actions(api: Api, name: str) -> list[tuple[str, str]]:
    """What the audit says of that account, oldest first: each action and who did it."""
    events = api.get(f"/audit?entity_id={name}", headers=api.token(Role.AUDITOR)).json()["items"]
    return [(event["action"], event["actor"]) for event in events][::-1]
