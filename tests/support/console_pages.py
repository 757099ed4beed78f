"""People at pages of the console, without a browser: what they read, and forms sent as the page has them."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import httpx

from domain.roles import Role
from tests.support.http_api import Api, Session


def hide_tokens(page: str) -> str:
    """The page without what keeps its forms from being forged: letters by chance, in which any short word may stand."""
    return re.sub(r'"m\.[\w=-]+"', '""', page)


def read_words(answer: httpx.Response) -> str:
    """The page with its forms, entities as what they stand for, blanks in one."""
    return " ".join(unescape(answer.text).split())


class Console:
    """Signed-in people of these roles."""

    def __init__(self, api: Api, people: Mapping[str, Role], *, customer: str | None = None) -> None:
        self.api = api
        for name, role in people.items():
            api.add_user(name, role, customer=customer)
        self.sessions: dict[str, Session] = {name: api.sign_in(name) for name in people}

    def read(self, who: str, path: str, expected: int = 200, *, language: str = "en") -> str:
        """The page."""
        headers = self.sessions[who].reading | {"Accept-Language": language}
        answer = self.api.client.get(path, headers=headers)
        assert answer.status_code == expected
        return read_words(answer)

    def send(self, who: str, page: str, form: str, fields: Mapping[str, Any], expected: int = 303) -> str:
        """What a form answers that stands on that page, with the version that the page is of; or where it leads."""
        shown = self.api.client.get(page, headers=self.sessions[who].reading).text
        found = re.search(r'data-version="(\d+)"', shown)
        version = {} if found is None else {"row_version": found.group(1)}
        answer = self.api.client.post(form, headers=self.sessions[who].writing, data=version | dict(fields))
        assert answer.status_code == expected
        return answer.headers.get("location", "") or read_words(answer)
