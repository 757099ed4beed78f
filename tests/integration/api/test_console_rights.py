"""Every page and form of the console by every role, and by nobody."""

import re
from collections.abc import Iterator

from domain.roles import ROLE_PERMISSIONS, Role
from tests.support.http_api import Api, Session
from tests.unit.api.roles_page import Address, find_addresses


def find_pages(api: Api) -> Iterator[Address]:
    return (a for a in find_addresses(api.app) if not a.is_api and a.permission is not None)


def call(api: Api, page: Address, session: Session | None) -> tuple[int, str, str]:
    """(status, where it leads, what it says) of a page of a record that is not there, or of an empty form. A stream of
    events says nothing that this waits for: it has no end."""
    address = re.sub(r"\{\w+\}", "nobody", page.path)
    headers = {} if session is None else session.writing if page.method != "GET" else session.reading
    form = {} if page.method == "GET" else {"data": {"nothing": "1"}}
    with api.client.stream(page.method, address, headers=headers, follow_redirects=False, **form) as answer:  # type: ignore[arg-type]
        is_endless = answer.headers.get("content-type", "").startswith("text/event-stream")
        return answer.status_code, answer.headers.get("location", ""), "" if is_endless else answer.read().decode()


def test_every_role_at_every_page(api: Api) -> None:
    pages = list(find_pages(api))
    assert len(pages) >= 17
    allowed = refused = 0
    for role in Role:
        api.add_user(f"a-{role}", role, customer="T-C0" if role is Role.CUSTOMER else None)
        session = api.sign_in(f"a-{role}")
        for page in pages:
            assert page.permission is not None
            status, place, text = call(api, page, session)
            name = f"{role} {page.method} {page.path}: {status} {place}"
            if page.permission in ROLE_PERMISSIONS[role]:
                assert status < 500, name
                assert status not in (401, 403), name
                assert not place.startswith("/sign-in"), name
                allowed += 1
            else:
                assert status == 403, name
                assert page.permission.value in text, name
                refused += 1
    assert allowed > 100
    assert refused > 50


def test_nobody_is_led_to_the_sign_in_from_every_page(api: Api) -> None:
    for page in find_pages(api):
        status, place, _ = call(api, page, None)
        assert (status, place.partition("?")[0]) == (303, "/sign-in"), f"{page.method} {page.path}"


def test_a_form_of_another_site_does_nothing(api: Api) -> None:
    api.add_user("mona", *(role for role in Role if role is not Role.CUSTOMER))
    session = api.sign_in("mona")
    forms = [page for page in find_pages(api) if page.method == "POST"]
    assert forms
    for page in forms:
        address = re.sub(r"\{\w+\}", "nobody", page.path)
        answer = api.client.post(address, headers=session.reading, data={"x": "1"}, follow_redirects=False)
        assert answer.status_code == 403, f"POST {page.path}: {answer.status_code}"


def test_a_page_that_is_refused_leads_to_one_that_is_not(api: Api) -> None:
    for role, refused in ((Role.ADMIN, "/inbox"), (Role.TECHNICIAN, "/admin/users")):
        api.add_user(f"b-{role}", role)
        session = api.sign_in(f"b-{role}")
        answer = api.client.get(refused, headers=session.reading)
        assert answer.status_code == 403
        again, elsewhere = re.findall(r'<a class="button" href="([^"]+)"', answer.text)
        assert again == refused
        assert api.client.get(elsewhere, headers=session.reading).status_code == 200
