"""The bytes of attachments: files below one folder, each under its own SHA-256, checked whenever they are read.

A file comes in under a random name, is flushed to the disk, and is then renamed to its hash: what has that name is
whole. Storing the same content again puts a damaged copy right.
"""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from domain.errors import AttachmentDamagedError

INCOMING = "incoming"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1024 * 1024


class IncomingFile:
    """A file that is on its way in. Either `keep` or `discard` ends it."""

    def __init__(self, folder: Path) -> None:
        incoming = folder / INCOMING
        incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._path = incoming / secrets.token_hex(16)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Adds the next bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        """The hash of what has come so far."""
        return self._digest.hexdigest()

    def keep(self) -> str:
        """Puts the file in its place for good; its hash. What was there under that hash is replaced by the same."""
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o400)
        os.fsync(self._file.fileno())
        self._file.close()
        sha256 = self.sha256
        place = find_place(self._folder, sha256)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _flush_folder(self._folder)
        self._path.replace(place)
        _flush_folder(place.parent)
        return sha256

    def discard(self) -> None:
        """Forgets the file; harmless after `keep`."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def find_place(folder: Path, sha256: str) -> Path:
    """Where the content with that hash stands.

    Raises
    ------
    ValueError
        The text is no SHA-256 in lower-case hex: no path is made of it.
    """
    if not _SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return folder / sha256[:2] / sha256


def open_verified(folder: Path, sha256: str) -> BinaryIO:
    """The content, open at its beginning, after all of it was read and has that hash.

    Raises
    ------
    AttachmentDamagedError
        It is not there, or is not what was stored.
    """
    try:
        handle = os.open(find_place(folder, sha256), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise AttachmentDamagedError(f"{sha256} cannot be opened: {error.strerror}") from error
    file = os.fdopen(handle, "rb")
    digest = hashlib.sha256()
    try:
        for block in read_blocks(file):
            digest.update(block)
        if digest.hexdigest() != sha256:
            raise AttachmentDamagedError(f"{sha256} holds {digest.hexdigest()} instead")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def read_blocks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file in pieces; it stays open."""
    while block := file.read(_BLOCK):
        yield block


def find_damaged(folder: Path, hashes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(hash, what is wrong) of those that are gone or changed."""
    for sha256 in hashes:
        try:
            open_verified(folder, sha256).close()
        except AttachmentDamagedError as damage:
            yield sha256, str(damage)


def remove_abandoned(folder: Path, older_than_s: float) -> int:
    """Removes what began to come in and was given up, e.g. because the program was killed; says how many."""
    removed = 0
    for path in (folder / INCOMING).glob("*"):
        try:
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
                removed += 1
        except FileNotFoundError:  # just ended
            continue
    return removed
