"""A second factor: set up, asked for, used once, throttled, recovered from, removed; its secret is nowhere readable."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pyotp
import pytest

from api.housekeeping import remove_what_is_over
from api.passwords import hash_secret
from api.seals import load_seal
from api.sign_in import CodeWanted, SignedIn, SignInRefused, find_cookie_name, give_code, sign_in
from api.state import now
from domain.errors import ConfigurationError
from domain.roles import Role
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.http_api import PASSWORD, Api, Session, find_errors, running_api


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "sign-in.key"


@pytest.fixture
def guarded(database: Database, key_file: Path) -> Iterator[Api]:
    with running_api(database.url, sign_in_key_file=key_file) as running:
        yield running


def set_up(api: Api, session: Session) -> tuple[str, list[str]]:
    """The secret and the recovery codes of a factor that is asked for from now on."""
    begun = api.post("/account/second-factor", headers=session.writing, json={"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    secret = begun.json()["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    confirmed = api.post("/account/second-factor/confirmation", headers=session.writing, json=body)
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json()["recovery_codes"]


def give_password(api: Api, name: str, address: str = "192.0.2.1") -> CodeWanted:
    outcome = sign_in(
        api.state.pool,
        api.settings,
        api.state.attempts,
        name=name,
        password=PASSWORD,
        address=address,
        at=now(),
        request_id="test",
    )
    assert isinstance(outcome, CodeWanted), outcome
    return outcome


def answer(
    api: Api, wanted: CodeWanted, code: str, later_s: float = 0, *, address: str = "192.0.2.1"
) -> SignedIn | SignInRefused:
    return give_code(
        api.state.pool,
        api.settings,
        api.state.attempts,
        token=wanted.token,
        code=code,
        address=address,
        at=now() + timedelta(seconds=later_s),
        request_id="test",
    )


def find_code(secret: str, *, later_s: float) -> str:
    return pyotp.TOTP(secret).at(now() + timedelta(seconds=later_s))


def test_a_code_is_asked_for_after_the_password_and_taken_once(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    session = guarded.sign_in("anna")
    other = guarded.sign_in("anna")
    secret, _ = set_up(guarded, session)
    assert guarded.get("/account", headers=session.reading).status_code == 200
    assert guarded.get("/account", headers=other.reading).status_code == 401  # every other session ended
    # The code that confirmed it was taken; the next one opens a session, and is taken then.
    assert answer(guarded, give_password(guarded, "anna"), find_code(secret, later_s=0)) == SignInRefused("wrong")
    code, wanted = find_code(secret, later_s=60), give_password(guarded, "anna")
    opened = answer(guarded, wanted, code, later_s=60)
    assert isinstance(opened, SignedIn)
    assert answer(guarded, wanted, find_code(secret, later_s=120), later_s=120) == SignInRefused("late")
    assert answer(guarded, give_password(guarded, "anna"), code, later_s=60) == SignInRefused("wrong")
    listed = guarded.get("/account/sessions", headers=Session(opened.token, opened.csrf_token).reading).json()
    assert [one["method"] for one in listed["items"] if one["is_current"]] == ["SECOND_FACTOR"]


def test_the_console_asks_for_the_code_on_a_page_of_its_own(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    secret, codes = set_up(guarded, guarded.sign_in("anna"))
    client = guarded.client
    form = {"name": "anna", "password": PASSWORD, "next": "/audit"}
    first = client.post("/sign-in", data=form, follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/sign-in/code?next=%2Faudit")
    assert find_cookie_name(guarded.settings) not in first.cookies  # nothing is open yet
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=300" in cookie
    pending = {"Cookie": cookie.partition(";")[0]}
    assert client.get("/audit", headers=pending, follow_redirects=False).headers["location"].startswith("/sign-in")
    assert client.get("/sign-in/code", headers=pending).status_code == 200
    wrong = client.post("/sign-in/code", headers=pending, data={"code": "000000"}, follow_redirects=False)
    assert wrong.status_code == 401
    assert "wrong, or was used before" in wrong.text
    foreign = {**pending, "Sec-Fetch-Site": "cross-site"}
    assert client.post("/sign-in/code", headers=foreign, data={"code": codes[0]}).status_code == 403
    right = {"code": f" {codes[0].upper()} ", "next": "/audit"}
    opened = client.post("/sign-in/code", headers=pending, data=right, follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/audit")
    assert find_cookie_name(guarded.settings) in opened.cookies
    assert secret not in opened.text


def test_without_the_cookie_of_a_right_password_no_code_opens_anything(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    secret, codes = set_up(guarded, guarded.sign_in("anna"))
    assert answer(guarded, CodeWanted("guess"), find_code(secret, later_s=30), later_s=30) == SignInRefused("late")
    wanted = give_password(guarded, "anna")
    assert answer(guarded, wanted, codes[0], later_s=301) == SignInRefused("late")
    # Neither does one whose password was reset meanwhile.
    admin = guarded.token(Role.ADMIN)
    guarded.post("/users/anna/password-reset", headers=admin, json={"reason": "asked"})
    assert answer(guarded, wanted, codes[0]) == SignInRefused("late")


def test_wrong_codes_lock_by_themselves_and_the_right_password_does_not_forget_them(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    secret, codes = set_up(guarded, guarded.sign_in("anna"))
    for number in range(5):
        # The right password before each guess.
        wanted = give_password(guarded, "anna", f"192.0.2.{number}")
        assert answer(guarded, wanted, "000000", address=f"192.0.2.{number}") == SignInRefused("wrong")
    locked = answer(guarded, give_password(guarded, "anna"), find_code(secret, later_s=0))
    assert isinstance(locked, SignInRefused)
    assert (locked.reason, 0 < locked.wait_s <= 30) == ("locked", True)
    still = answer(guarded, give_password(guarded, "anna"), codes[0])
    assert isinstance(still, SignInRefused)  # nor does a recovery code get past it
    assert still.reason == "locked"
    events = guarded.get("/audit?entity_id=anna", headers=guarded.token(Role.AUDITOR)).json()["items"]
    assert "user.second_factor_locked" in [event["action"] for event in events]
    assert isinstance(answer(guarded, give_password(guarded, "anna"), codes[0], later_s=60), SignedIn)


def test_codes_from_one_address_are_throttled_with_its_passwords(guarded: Api) -> None:
    for number in range(8):
        guarded.add_user(f"p{number}", Role.AUDITOR)
        set_up(guarded, guarded.sign_in(f"p{number}"))
    waits = [give_password(guarded, f"p{number}") for number in range(8)]
    seen = [answer(guarded, waits[n % 8], "000000", later_s=0.001 * n) for n in range(32)]
    assert seen.count(SignInRefused("wrong")) == 30
    assert all(isinstance(one, SignInRefused) and one.reason == "locked" for one in seen[30:])


def test_a_recovery_code_is_good_once_and_new_ones_replace_the_old(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    session = guarded.sign_in("anna")
    _, codes = set_up(guarded, session)
    assert len(set(codes)) == 10
    assert isinstance(answer(guarded, give_password(guarded, "anna"), codes[3]), SignedIn)
    assert answer(guarded, give_password(guarded, "anna"), codes[3]) == SignInRefused("wrong")
    assert guarded.get("/account/second-factor", headers=session.reading).json()["recovery_codes_left"] == 9
    wrong = guarded.post("/account/second-factor/recovery-codes", headers=session.writing, json={"password": "no"})
    assert find_errors(wrong) == {"password": "is not the password"}
    right = {"password": PASSWORD}
    renewed = guarded.post("/account/second-factor/recovery-codes", headers=session.writing, json=right).json()
    assert answer(guarded, give_password(guarded, "anna"), codes[4]) == SignInRefused("wrong")
    assert isinstance(answer(guarded, give_password(guarded, "anna"), renewed["recovery_codes"][4]), SignedIn)


def test_only_the_session_that_began_confirms_and_nothing_is_asked_for_before(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    mine, thief = guarded.sign_in("anna"), guarded.sign_in("anna")
    begun = guarded.post("/account/second-factor", headers=mine.writing, json={"password": PASSWORD}).json()
    body = {"code": pyotp.TOTP(begun["secret"]).now()}
    refused = guarded.post("/account/second-factor/confirmation", headers=thief.writing, json=body)
    assert (refused.status_code, refused.json()["guard"]) == (409, "not_begun")
    wrong = guarded.post("/account/second-factor/confirmation", headers=mine.writing, json={"code": "12345"})
    assert wrong.status_code == 422
    assert isinstance(guarded.sign_in("anna"), Session)  # by the password alone
    # A stolen session without the password begins nothing.
    stolen = guarded.post("/account/second-factor", headers=thief.writing, json={"password": "guess"})
    assert find_errors(stolen) == {"password": "is not the password"}
    with open_connection(guarded.settings.database_url, application="test") as conn:
        conn.execute("UPDATE second_factor SET begun_at = begun_at - interval '11 minutes'")
    late = guarded.post("/account/second-factor/confirmation", headers=mine.writing, json=body)
    assert (late.status_code, late.json()["guard"]) == (409, "not_begun")


def test_it_is_removed_with_the_password_or_by_an_administrator_and_both_are_audited(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    guarded.add_user("root", Role.ADMIN)
    session, admin = guarded.sign_in("anna"), guarded.sign_in("root")
    set_up(guarded, session)
    again = guarded.post("/account/second-factor", headers=session.writing, json={"password": PASSWORD})
    assert again.json()["guard"] == "factor_exists"
    wrong = guarded.post("/account/second-factor/removal", headers=session.writing, json={"password": "no"})
    assert wrong.status_code == 422
    right = {"password": PASSWORD}
    assert guarded.post("/account/second-factor/removal", headers=session.writing, json=right).status_code == 204
    session = guarded.sign_in("anna")  # by the password alone
    set_up(guarded, session)
    reason = {"reason": "phone lost, asked in person"}
    assert guarded.post("/users/anna/second-factor/removal", headers=admin.writing, json=reason).status_code == 204
    assert guarded.get("/account", headers=session.reading).status_code == 401
    set_up(guarded, admin)
    own = guarded.post("/users/root/second-factor/removal", headers=admin.writing, json=reason)
    assert (own.status_code, own.json()["guard"]) == (409, "own_factor")
    events = guarded.get("/audit?entity_id=anna", headers=guarded.token(Role.AUDITOR)).json()["items"]
    told = [(e["action"], e["actor"], e["reason"]) for e in events if "second_factor" in e["action"]]
    assert told[::-1] == [
        ("user.second_factor_set_up", "anna", ""),
        ("user.second_factor_removed", "anna", ""),
        ("user.second_factor_set_up", "anna", ""),
        ("user.second_factor_removed", "root", "phone lost, asked in person"),
    ]


def test_where_it_is_required_nothing_else_opens_before_it_is_set_up(database: Database, key_file: Path) -> None:
    with running_api(database.url, sign_in_key_file=key_file, second_factor_required=True) as api:
        api.add_user("anna", Role.AUDITOR)
        session = api.sign_in("anna")
        refused = api.get("/audit", headers=session.reading)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:forewarn:problem:second-factor-required")
        page = api.client.get("/audit", headers=session.reading, follow_redirects=False)
        assert (page.status_code, page.headers["location"]) == (303, "/account?required=second-factor")
        assert "needs a second factor" in api.client.get("/account", headers=session.reading).text
        assert api.get("/audit", headers=api.token(Role.AUDITOR)).status_code == 200  # a token has none
        set_up(api, session)
        assert api.get("/audit", headers=session.reading).status_code == 200


def test_the_secret_stands_sealed_and_nowhere_else(
    guarded: Api, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user_id = guarded.add_user("anna", Role.AUDITOR)
    caplog.set_level("DEBUG")
    session = guarded.sign_in("anna")
    secret, codes = set_up(guarded, session)
    answer(guarded, give_password(guarded, "anna"), codes[0])
    assert key_file.stat().st_mode & 0o777 == 0o600
    tables = "second_factor", "recovery_code", "audit_event", "app_user", "idempotency_key", "pending_sign_in"
    with psycopg.connect(guarded.settings.database_url) as conn:
        for table in tables:
            kept = str(conn.execute(f"SELECT * FROM {table}").fetchall()).lower()
            assert secret.lower() not in kept, table
            assert not any(code.replace("-", "") in kept or code in kept for code in codes), table
        row = conn.execute("SELECT sealed_secret FROM second_factor").fetchone()
    assert row is not None
    assert load_seal(key_file).open(user_id, bytes(row[0])) == secret
    with pytest.raises(ConfigurationError, match="sealed by a key"):
        load_seal(key_file).open(user_id + 1, bytes(row[0]))  # moved to another account by who can write rows
    assert secret not in caplog.text
    assert codes[0] not in caplog.text


def test_one_code_at_once_from_many_opens_one_session(guarded: Api) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    secret, codes = set_up(guarded, guarded.sign_in("anna"))
    for code in (find_code(secret, later_s=60), codes[0]):
        waits = [give_password(guarded, "anna") for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            answers = threads.map(answer, [guarded] * 4, waits, [code] * 4, [60.0] * 4)
        seen = list(answers)
        assert sum(isinstance(one, SignedIn) for one in seen) == 1
        assert seen.count(SignInRefused("wrong")) == 3


def test_sign_ins_that_nobody_went_on_with_are_removed(guarded: Api, database: Database) -> None:
    guarded.add_user("anna", Role.AUDITOR)
    set_up(guarded, guarded.sign_in("anna"))
    kept, late = give_password(guarded, "anna"), give_password(guarded, "anna")
    with psycopg.connect(database.owner_url) as conn:
        conn.execute(
            "UPDATE pending_sign_in SET expires_at = now() - interval '1 s' WHERE token_hash = %s",
            (hash_secret(late.token),),
        )
        conn.commit()
        remove_what_is_over(guarded.state.pool, guarded.settings)
        left = conn.execute("SELECT token_hash FROM pending_sign_in").fetchall()
    assert [bytes(row[0]) for row in left] == [hash_secret(kept.token)]


def test_a_token_has_no_second_factor(guarded: Api) -> None:
    token = guarded.token(Role.AUDITOR)
    assert guarded.get("/account/second-factor", headers=token).status_code == 422
    assert guarded.post("/account/second-factor", headers=token, json={"password": PASSWORD}).status_code == 422
    assert guarded.get("/account/sessions", headers=token).status_code == 422
