"""The key of second factors: made once, private, changed without a gap, and never guessed at."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from api.seals import SECOND_FACTORS, load_seal
from domain.errors import ConfigurationError
from store import seals


def test_a_key_is_made_for_its_owner_alone_and_seals_for_one_account(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "key"
    seal = load_seal(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    sealed = seal.close(7, "a secret: with a colon")
    assert b"secret" not in sealed
    assert seal.open(7, sealed) == "a secret: with a colon"
    for user_id, changed in ((8, sealed), (7, sealed[:-4] + b"AAA="), (7, b"")):
        with pytest.raises(ConfigurationError, match="sealed by a key"):
            seal.open(user_id, changed)


def test_a_new_first_key_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    old = load_seal(tmp_path / "old")
    sealed = old.close(1, "secret")
    both = tmp_path / "both"
    both.write_text(f"{Fernet.generate_key().decode()}\n{(tmp_path / 'old').read_text()}", "utf-8")
    both.chmod(0o640)
    seal = load_seal(both)
    assert seal.open(1, sealed) == "secret"
    with pytest.raises(ConfigurationError):
        old.open(1, seal.close(1, "secret"))


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o666])
def test_a_key_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(Fernet.generate_key().decode(), "utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_seal(file)


@pytest.mark.parametrize("text", ["", "not a key", "c2hvcnQ="])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no key"):
        load_seal(file)


def test_whoever_is_stopped_while_a_key_is_made_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    with monkeypatch.context() as patched:
        patched.setattr(Fernet, "generate_key", stop)
        with pytest.raises(KeyboardInterrupt):
            load_seal(file)
    assert list(tmp_path.iterdir()) == []
    assert load_seal(file).close(1, "secret")
    assert [found.name for found in tmp_path.iterdir()] == ["key"]


def stop() -> bytes:
    raise KeyboardInterrupt


def test_all_who_make_the_key_at_one_moment_seal_with_the_same_one(tmp_path: Path) -> None:
    load_anew = seals.load_seal.__wrapped__  # as another process does, which remembers no seal
    for n in range(20):
        file = tmp_path / str(n)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(load_anew, [file] * 8, [SECOND_FACTORS] * 8))
        sealed = found[0].close(1, "secret")
        assert {seal.open(1, sealed) for seal in found} == {"secret"}
