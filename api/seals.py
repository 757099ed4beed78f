"""What has to be read again and must not stand readable in the database: encrypted by a key that is in a file.

The file has one key to a line. The first one seals, all of them open, so that a key can be changed without a gap.
"""

import os
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from domain.errors import ConfigurationError

_OTHERS = 0o037  # the group may read (a mounted secret), nobody else may do anything


class Seal:
    """Seals and opens texts, each for one account: what was sealed for another one does not open."""

    def __init__(self, keys: MultiFernet) -> None:
        self._keys = keys

    def close(self, user_id: int, text: str) -> bytes:
        """The text encrypted and authenticated."""
        return self._keys.encrypt(f"{user_id}:{text}".encode())

    def open(self, user_id: int, sealed: bytes) -> str:
        """The text that was sealed for this account.

        Raises
        ------
        ConfigurationError
            It was sealed by a key that is not in the file, or for another account, or was changed.
        """
        try:
            owner, _, text = self._keys.decrypt(sealed).decode().partition(":")
        except InvalidToken:
            owner, text = "", ""
        if owner != str(user_id):
            raise ConfigurationError(
                "A second factor was sealed by a key that is not in FOREWARN_SIGN_IN_KEY_FILE; put that key back, or "
                "remove the factors and have them set up again."
            )
        return text


@cache
def load_seal(file: Path) -> Seal:
    """The seal by the keys of that file, which is made with a random key where there is none.

    Raises
    ------
    ConfigurationError
        Somebody else may read the file, or what it holds is no key.
    """
    if not file.exists():
        _make_key(file)
    if file.stat().st_mode & _OTHERS:
        raise ConfigurationError(f"{file} may be read or changed by others: chmod 600 {file}")
    try:
        keys = [Fernet(line) for line in file.read_text("utf-8").split()]
        return Seal(MultiFernet(keys))
    except (OSError, ValueError) as problem:
        raise ConfigurationError(
            f"{file} holds no key for second factors ({problem}); make one with `python -c "
            "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        ) from problem


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was quicker, and its key is the one
        return
    with os.fdopen(descriptor, "wb") as made:
        made.write(Fernet.generate_key() + b"\n")
