"""Passwords and secrets."""

from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from api.passwords import (
    TOKEN_PREFIX,
    find_password_weakness,
    hash_password,
    hash_secret,
    make_api_token,
    make_password,
    matches_password,
    needs_rehash,
)


def test_a_hash_is_salted_argon2id_and_matches_its_password_alone() -> None:
    first, second = hash_password("correct horse"), hash_password("correct horse")
    assert first != second
    assert first.startswith("$argon2id$")
    assert matches_password(first, "correct horse")
    assert not matches_password(first, "correct horsE")
    assert not matches_password("not a hash", "correct horse")
    assert not needs_rehash(first)


def test_an_unknown_name_costs_what_a_known_one_does_and_is_never_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    class Recording(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - as it is called there
            compared.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr("api.passwords._HASHER", Recording.from_parameters(RFC_9106_LOW_MEMORY))
    assert not matches_password(None, "correct horse")
    (nobodys,) = compared
    assert not needs_rehash(nobodys), "the parameters of real hashes, read without complaint"
    assert extract_parameters(nobodys) == RFC_9106_LOW_MEMORY


def test_a_hash_with_weaker_parameters_is_to_be_made_anew() -> None:
    weak = "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$jb5vYgrU9rFh1Q1tGQw1Wv1Y0u3S6cJ7S1oOe8yq3oM"
    assert needs_rehash(weak)


@pytest.mark.parametrize(
    ("password", "is_weak"),
    [
        ("short", True),
        ("x" * 201, True),
        ("abababababab", True),
        ("my anna password", True),
        ("a good long one", False),
    ],
)
def test_what_may_be_chosen(password: str, is_weak: bool) -> None:
    assert (find_password_weakness(password, name="anna") is not None) == is_weak


def test_made_secrets_differ_and_pass_their_own_rule() -> None:
    assert len({make_api_token() for _ in range(100)}) == 100
    assert make_api_token().startswith(TOKEN_PREFIX)
    assert all(find_password_weakness(make_password(), name="") is None for _ in range(100))
    assert hash_secret("x") == hash_secret("x")
    assert len(hash_secret("x")) == 32
