"""What people are called, by account: kept in this process for as long as no account changed."""

from collections.abc import Mapping

from store.pool import Connection
from store.users import load_full_names, load_names_version


class FullNames:
    """The names of all accounts, never older than what the database has: each look compares them by a version."""

    def __init__(self) -> None:
        self._kept: tuple[str, Mapping[str, str]] = ("", {})

    def load(self, conn: Connection) -> Mapping[str, str]:
        """Full names by account. One query while nobody's name changed, another after a change."""
        kept = self._kept
        if kept[0] != load_names_version(conn):
            self._kept = kept = load_full_names(conn)
        return kept[1]
