"""Whoever cannot sign is told why, in the same words wherever a password is asked for."""

import pytest
from fastapi import Request

from api.console.page import View, find_view
from api.console.signing_words import say_unsigned, say_unsigned_problem
from api.problems import INVALID, TOO_MANY_ATTEMPTS, ProblemError
from api.sign_in import SignInRefused


def make_view(language: str) -> View:
    headers = [(b"accept-language", language.encode())]
    return find_view(
        Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}), None
    )


@pytest.mark.parametrize(
    ("refused", "language", "said"),
    [
        (SignInRefused("wrong"), "en", "That is not your password. Nothing was signed."),
        (SignInRefused("no_password"), "en", "You have no password to sign with yet."),
        (SignInRefused("locked", 90.0), "en", "Too many wrong passwords: wait 1 min."),
        (SignInRefused("no_password"), "zh", "您还没有用于签署的密码。"),
    ],
)
def test_each_reason_has_its_sentence(refused: SignInRefused, language: str, said: str) -> None:
    assert say_unsigned(make_view(language), refused).startswith(said)


def test_what_the_api_refused_is_said_alike_and_other_problems_are_none_of_its_business() -> None:
    view = make_view("en")
    wrong = ProblemError(INVALID, fields={"password": "is not your password"}, signature="wrong")
    assert say_unsigned_problem(view, wrong) == say_unsigned(view, SignInRefused("wrong"))
    locked = ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": "61"}, signature="locked")
    assert say_unsigned_problem(view, locked) == say_unsigned(view, SignInRefused("locked", 61.0))
    assert say_unsigned_problem(view, ProblemError(INVALID, fields={"lot": "must not be empty"})) is None
