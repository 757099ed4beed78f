"""Pages of accounts and administration: what they show once, what they refuse, and what no page ever shows."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest

from api.sign_in import SignedIn, sign_in
from api.state import now
from domain.roles import Role
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import PASSWORD, Api, Session, find_errors, running_api


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Iterator[Api]:
    with running_api(database.url, sign_in_key_file=tmp_path / "key") as running:
        yield running


@pytest.fixture
def admin(api: Api) -> Session:
    api.add_user("root", Role.ADMIN)
    return api.sign_in("root")


def get(api: Api, session: Session, path: str) -> str:
    answer = api.client.get(path, headers=session.reading, follow_redirects=False)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return html.unescape(answer.text)


def post(api: Api, session: Session, path: str, data: dict[str, str | list[str]]) -> httpx.Response:
    return api.client.post(path, headers=session.writing, data=data, follow_redirects=False)


def find_secret(page: str) -> str:
    found = re.search(r'class="code secret">([^<]+)<', page)
    assert found is not None, page
    return html.unescape(found.group(1))


def find_version(page: str) -> str:
    found = re.search(
        r'name="row_version" value="(\d+)">\s*<div class="fields">\s*<div class="field"><label for="u-full', page
    )
    assert found is not None, page
    return found.group(1)


def test_an_account_is_made_and_its_password_is_shown_once(api: Api, admin: Session) -> None:
    form: dict[str, str | list[str]] = {"name": "mei", "full_name": "林美 <b>", "roles": ["technician", "dispatcher"]}
    made = post(api, admin, "/admin/users/new", form)
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    session = api.sign_in("mei", find_secret(made.text))
    assert api.client.get("/inbox", headers=session.reading, follow_redirects=False).headers["location"] == "/password"
    listed = api.client.get("/admin/users?q=mei", headers=admin.reading).text
    assert "林美 &lt;b&gt;" in listed
    assert "must choose a password" in listed
    assert find_secret(made.text) not in get(api, admin, "/admin/users/mei")
    wrongs: tuple[tuple[dict[str, str | list[str]], str], ...] = (
        ({"name": "Mei Lin"}, "Small letters"),
        ({"name": "mei"}, "Small letters"),
        ({"name": "new", "roles": ["customer", "auditor"]}, "goes with no other"),
        ({"name": "new", "customer": "NOBODY"}, "There is no customer with the code NOBODY."),
        ({"name": "new", "roles": ["customer"]}, "sees the records of one customer alone: say of which."),
        ({"name": "new", "roles": ["emperor"]}, "Choose at least one role"),
    )
    for wrong, said in wrongs:
        refused = post(api, admin, "/admin/users/new", {**form, **wrong})
        assert refused.status_code in (409, 422), wrong
        at_field = re.findall(r'<span class="wrong"[^>]*>([^<]*)</span>', html.unescape(refused.text))
        assert any(said in one or "There is one of that name" in one for one in at_field), wrong
        assert 'value="林美 &lt;b&gt;"' in refused.text  # what was typed is kept


def test_other_roles_end_the_sessions_and_a_page_that_is_old_changes_nothing(api: Api, admin: Session) -> None:
    api.add_user("anna", Role.AUDITOR)
    session = api.sign_in("anna")
    version = find_version(api.client.get("/admin/users/anna", headers=admin.reading).text)
    form: dict[str, str | list[str]] = {
        "full_name": "Anna Weber",
        "roles": ["auditor", "engineer"],
        "status": "ACTIVE",
        "reason": "",
        "row_version": version,
    }
    assert post(api, admin, "/admin/users/anna/account", form).status_code == 422  # without a reason
    assert api.get("/account", headers=session.reading).status_code == 200
    form["reason"] = "joins the engineers"
    assert post(api, admin, "/admin/users/anna/account", form).status_code == 303
    assert api.get("/account", headers=session.reading).status_code == 401
    form["full_name"] = "Anna Miller"
    conflict = post(api, admin, "/admin/users/anna/account", form)
    assert conflict.status_code == 412
    assert "Root changed this account while you edited" in conflict.text
    assert 'value="Anna Miller"' in conflict.text
    # A changed name alone ends nothing.
    session = api.sign_in("anna")
    form["row_version"] = find_version(api.client.get("/admin/users/anna", headers=admin.reading).text)
    assert post(api, admin, "/admin/users/anna/account", form).status_code == 303
    assert api.get("/account", headers=session.reading).status_code == 200
    own: dict[str, str | list[str]] = {**form, "roles": ["auditor"]}
    own["row_version"] = find_version(api.client.get("/admin/users/root", headers=admin.reading).text)
    refused = post(api, admin, "/admin/users/root/account", own)
    assert refused.status_code == 409
    assert "Nobody takes his own administration away" in refused.text


def test_an_administrator_signs_people_out_resets_passwords_and_removes_factors(api: Api, admin: Session) -> None:
    api.add_user("anna", Role.AUDITOR)
    session, other = api.sign_in("anna"), api.sign_in("anna")
    page = get(api, admin, "/admin/users/anna")
    ends = re.findall(r'action="(/admin/users/anna/sessions/\d+/end)"', page)
    assert len(ends) == 2
    assert post(api, admin, ends[0], {}).status_code == 303
    left = [api.get("/account", headers=one.reading).status_code for one in (session, other)]
    assert sorted(left) == [200, 401]
    assert post(api, admin, "/admin/users/anna/sessions", {"reason": ""}).status_code == 422
    assert post(api, admin, "/admin/users/anna/sessions", {"reason": "laptop lost"}).status_code == 303
    assert api.get("/account", headers=other.reading).status_code == 401
    reset = post(api, admin, "/admin/users/anna/password", {"reason": "forgotten"})
    assert api.sign_in("anna", find_secret(reset.text))
    refused = post(api, admin, "/admin/users/anna/second-factor", {"reason": "asked"})
    assert refused.status_code == 409
    assert "There is no second factor" in refused.text
    for path in ("/admin/users/nobody/account", "/admin/users/nobody/password"):
        assert api.client.post(path, headers=admin.writing, data={"reason": "x"}).status_code == 404


def test_tokens_are_made_shown_once_and_revoked(api: Api, admin: Session) -> None:
    made = post(api, admin, "/admin/tokens/new", {"name": "erp", "role": "integrator", "expires_on": "2099-12-31"})
    secret = find_secret(made.text)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert api.get("/account", headers=bearer).status_code == 200
    page = get(api, admin, "/admin/tokens")
    assert secret not in page
    assert "2099" in page
    assert post(api, admin, "/admin/tokens/new", {"name": "erp", "role": "integrator"}).status_code == 409
    for wrong in ({"expires_on": "2001-01-01"}, {"expires_on": "soon"}, {"role": "emperor"}, {"customer": "NOBODY"}):
        refused = post(api, admin, "/admin/tokens/new", {"name": "other", "role": "integrator", **wrong})
        assert refused.status_code == 422, wrong
    place = re.search(r'action="(/admin/tokens/\d+/revocation)"', page)
    assert place is not None
    assert post(api, admin, place.group(1), {}).status_code == 303
    assert api.get("/account", headers=bearer).status_code == 401
    assert "revoked" in get(api, admin, "/admin/tokens")


def test_settings_and_roles_are_shown_without_any_secret(api: Api, admin: Session) -> None:
    page = get(api, admin, "/admin/settings")
    password = re.search(r"://[^:]+:([^@]+)@", api.settings.database_url)
    assert api.settings.database_url not in page
    assert password is None or password.group(1) not in page
    for variable in ("FOREWARN_DATABASE_URL", "FOREWARN_API_SESSION_HOURS", "FOREWARN_API_OIDC_ISSUER"):
        assert variable.replace("_", "_<wbr>") in page
    assert "set, not shown" in page
    matrix = get(api, admin, "/admin/roles")
    assert matrix.count("●") > 100
    assert "vigilance.decide" in matrix


def test_ones_own_sessions_are_listed_and_ended(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    api.add_user("bert", Role.AUDITOR)
    session = api.sign_in("anna")
    stranger = api.sign_in("bert")
    agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 <script>alert(1)</script>"
    elsewhere = sign_in(
        api.state.pool,
        api.settings,
        api.state.attempts,
        name="anna",
        password=PASSWORD,
        address="198.51.100.7",
        at=now(),
        request_id="test",
        browser=agent * 9,
    )
    assert isinstance(elsewhere, SignedIn)
    other = Session(elsewhere.token, elsewhere.csrf_token)
    raw = api.client.get("/account", headers=session.reading).text
    assert "<script>alert" not in raw
    assert "Firefox · Linux" in raw
    assert "198.51.100.7" in raw
    listed = api.get("/account/sessions", headers=session.reading).json()["items"]
    assert [one["is_current"] for one in listed].count(True) == 1
    assert all(elsewhere.token not in str(one) for one in listed)
    (theirs,) = (one["id"] for one in listed if not one["is_current"])
    # Nobody ends another's session by its number.
    gone = api.client.post(f"/account/sessions/{theirs}/end", headers=stranger.writing, follow_redirects=False)
    assert gone.status_code == 404
    assert api.request("DELETE", f"/account/sessions/{theirs}", headers=stranger.writing).status_code == 404
    assert api.get("/account", headers=other.reading).status_code == 200
    assert post(api, session, f"/account/sessions/{theirs}/end", {}).status_code == 303
    assert api.get("/account", headers=other.reading).status_code == 401
    for _ in range(2):
        api.sign_in("anna")
    assert api.request("DELETE", "/account/sessions", headers=session.writing).status_code == 204
    assert len(api.get("/account/sessions", headers=session.reading).json()["items"]) == 1


def test_the_page_of_a_second_factor_draws_it_here_and_shows_codes_once(api: Api) -> None:
    api.add_user("anna", Role.AUDITOR)
    session = api.sign_in("anna")
    assert post(api, session, "/account/second-factor", {"password": "wrong"}).status_code == 422
    shown = post(api, session, "/account/second-factor", {"password": PASSWORD})
    assert shown.status_code == 200
    assert "<svg viewBox=" in shown.text
    assert "style=" not in shown.text
    assert "otpauth" not in shown.text  # in the picture alone
    secret = find_secret(shown.text).replace(" ", "")
    again = post(api, session, "/account/second-factor-code", {"code": "123"})
    assert again.status_code == 422
    assert find_secret(again.text).replace(" ", "") == secret
    done = post(api, session, "/account/second-factor-code", {"code": pyotp.TOTP(secret).now()})
    codes = re.findall(r'<li translate="no" class="code">([a-z2-7-]{19})</li>', done.text)
    assert len(codes) == 10
    page = get(api, session, "/account")
    assert "10 recovery codes are left" in page
    assert not any(code in page for code in codes)
    assert post(api, session, "/account/second-factor-removal", {"password": PASSWORD}).status_code == 303


def test_an_administrator_of_one_customers_account_names_it(api: Api, admin: Session, database: Database) -> None:
    register(database.url, PROFILE, make_devices(2, customers=2))
    form: dict[str, str | list[str]] = {"name": "nurse", "full_name": "A Nurse", "roles": ["customer"]}
    assert post(api, admin, "/admin/users/new", form).status_code == 422
    made = post(api, admin, "/admin/users/new", {**form, "customer": "T-C0"})
    assert made.status_code == 200
    assert "T-C0" in get(api, admin, "/admin/users/nurse")


def test_without_a_provider_its_addresses_are_not_there(api: Api, admin: Session) -> None:
    for path in ("/sign-in/provider", "/sign-in/provider/return?code=x&state=y"):
        assert api.client.get(path, headers=admin.reading, follow_redirects=False).status_code == 404
    assert post(api, admin, "/password/provider", {}).status_code == 404
    assert post(api, admin, "/account/identity", {"password": PASSWORD}).status_code == 404
    assert "OpenID" not in get(api, admin, "/account")


@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("/admin/users", {"name": "new", "full_name": "N", "roles": ["customer"]}),
        ("/admin/tokens", {"name": "new", "role": "customer"}),
    ],
)
def test_a_customer_is_offered_and_what_is_wrong_with_it_is_said_where_it_is_typed(
    api: Api, admin: Session, page: str, form: dict[str, str | list[str]]
) -> None:
    register(api.settings.database_url, PROFILE, make_devices(2, customers=2))
    shown = get(api, admin, page)
    assert re.search(r'<input id="(.)-customer" [^>]*list="\1-customer-known"', shown)
    assert re.findall(r'<option translate="no" value="(T-C\d)">', shown) == ["T-C0", "T-C1"]
    for customer, said in (("T-C9", "There is no customer with the code T-C9."), ("", "say of which.")):
        answer = post(api, admin, f"{page}/new", {**form, "customer": customer})
        assert answer.status_code == 422
        at_field = re.search(
            r'name="customer" [^>]*value="([^"]*)"[^>]*-customer-wrong [^>]*aria-invalid="true" autofocus>.*?'
            r'<span class="wrong" id=".-customer-wrong">([^<]*)</span>',
            answer.text,
        )
        assert at_field is not None, answer.text
        assert at_field.group(1) == customer
        assert at_field.group(2).endswith(said)
    token = api.token(Role.ADMIN)
    place = page.removeprefix("/admin")
    assert find_errors(api.post(place, headers=token, json={**form, "customer": "T-C9"})) == {
        "customer": "there is no customer 'T-C9'"
    }
    assert find_errors(api.post(place, headers=token, json=form)) == {"customer": "the role customer needs one"}


def test_where_customers_are_many_none_is_offered(api: Api, admin: Session) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        conn.execute(
            "INSERT INTO customer (code, name, type) SELECT 'M-' || n, 'Many', 'CLINIC' FROM generate_series(1, 201) n"
        )
    shown = get(api, admin, "/admin/tokens")
    assert "<datalist" not in shown
    assert 'name="customer"' in shown
