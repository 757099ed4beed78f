"""What has to be read again and must not stand readable in the database: encrypted by a key that is in a file.

The file has one key to a line. The first one seals, all of them open, so that a key can be changed without a gap.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkstemp

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from domain.errors import ConfigurationError

_OTHERS = 0o037  # the group may read (a mounted secret), nobody else may do anything


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a key is for, in the words of its errors: `what` it seals, and `remedy` where one of them does not open."""

    what: str
    remedy: str


class Seal:
    """Seals and opens texts, each for one owner: what was sealed for another one does not open."""

    def __init__(self, keys: MultiFernet, use: Sealed) -> None:
        self._keys = keys
        self._use = use

    def close(self, owner: int | str, text: str) -> bytes:
        """The text encrypted and authenticated; the owner's name holds no colon."""
        return self._keys.encrypt(f"{owner}:{text}".encode())

    def open(self, owner: int | str, sealed: bytes) -> str:
        """The text that was sealed for this owner.

        Raises
        ------
        ConfigurationError
            It was sealed by a key that is not in the file, or for another owner, or was changed.
        """
        try:
            found, _, text = self._keys.decrypt(sealed).decode().partition(":")
        except InvalidToken:
            found, text = "", ""
        if found != str(owner):
            raise ConfigurationError(self._use.remedy)
        return text


@cache
def load_seal(file: Path, use: Sealed, *, is_made: bool = True) -> Seal:
    """The seal by the keys of that file, which is made with a random key where there is none, if `is_made`.

    Raises
    ------
    ConfigurationError
        Somebody else may read the file, or what it holds is no key; or it is not there.
    """
    if is_made and not file.exists():
        _make_key(file)
    if file.exists() and file.stat().st_mode & _OTHERS:
        raise ConfigurationError(f"{file} may be read or changed by others: chmod 600 {file}")
    try:
        keys = [Fernet(line) for line in file.read_text("utf-8").split()]
        return Seal(MultiFernet(keys), use)
    except (OSError, ValueError) as problem:
        raise ConfigurationError(
            f"{file} holds no key for {use.what} ({problem}); make one with `python -c "
            "'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        ) from problem


def _make_key(file: Path) -> None:
    """The file is there with a whole key or not at all, whoever else makes it at the same moment, and whenever this
    process is killed."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "wb") as made:
            made.write(Fernet.generate_key() + b"\n")
            made.flush()
            os.fsync(made.fileno())
        with suppress(FileExistsError):  # another process was quicker, and its key is the one
            os.link(draft, file)
    finally:
        Path(draft).unlink()
