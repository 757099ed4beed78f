"""Secrets are made once, kept private, and written whole."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from forewarn.secrets_folder import load_or_make_secret, write_private


def test_a_secret_stays_the_same_for_everyone_who_asks(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: load_or_make_secret(tmp_path, "token"), range(40)))
    assert len(answers) == 1
    assert len(answers.pop()) == 32
    assert load_or_make_secret(tmp_path, "token") != load_or_make_secret(tmp_path, "other")
    assert [path.name for path in (tmp_path / "secrets").iterdir() if path.name.startswith(".")] == []


def test_private_files_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "sign-in.txt"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
