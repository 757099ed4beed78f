"""Records of which every version is kept: one that is in use, and all that were before; read and locked in one way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.errors import NotFoundError, RowVersionConflictError
from store.pool import Connection


class VersionedRow(Protocol):
    """A record in one version."""

    @property
    def row_version(self) -> int: ...


Row = TypeVar("Row", bound=VersionedRow)


@dataclass(frozen=True, slots=True)
class VersionedRecords(Generic[Row]):
    """The records of `table`, whose versions stand in `<table>_version`.

    `columns` are those of `row_type`, of the record `h` and its version `v`; `visible` is the condition under which a
    customer (`%(customer_id)s`, null: everybody) sees a record.
    """

    table: str
    columns: str
    visible: str
    row_type: type[Row]

    def load_page(
        self, conn: Connection, *, customer_id: int | None = None, after: str = "", limit: int = 100
    ) -> list[Row]:
        """Records by code, behind the code `after`, each in its current version."""
        query = f"""
            SELECT {self.columns} {self._current} WHERE h.code > %(after)s AND {self.visible}
            ORDER BY h.code LIMIT %(limit)s
        """
        values = {"after": after, "customer_id": customer_id, "limit": limit}
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def load(self, conn: Connection, code: str, *, customer_id: int | None = None) -> Row | None:
        """The record of that code in its current version, or None."""
        query = f"SELECT {self.columns} {self._current} WHERE h.code = %(code)s AND {self.visible}"
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            return cursor.execute(query.encode(), {"code": code, "customer_id": customer_id}).fetchone()

    def load_versions(self, conn: Connection, code: str) -> list[Row]:
        """Every version of the record, the newest first."""
        query = f"""
            SELECT {self.columns} FROM {self.table} h JOIN {self.table}_version v ON v.{self.table}_id = h.id
            WHERE h.code = %s ORDER BY v.version DESC
        """  # noqa: S608
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            return cursor.execute(query.encode(), (code,)).fetchall()

    def insert(self, conn: Connection, query: str, values: Mapping[str, Any]) -> int | None:
        """The id of the record that `query` inserts, or None where there is one of that code."""
        try:
            with conn.transaction():
                row = conn.execute(query.encode(), values).fetchone()
        except UniqueViolation:
            return None
        assert row is not None
        return int(row[0])

    def lock(self, conn: Connection, code: str, expected_row_version: int | None) -> Row:
        """The record in its current version, locked until the transaction ends.

        Raises
        ------
        NotFoundError, RowVersionConflictError
            There is none, or it has moved since the caller saw it.
        """
        query = f"SELECT {self.columns} {self._current} WHERE h.code = %s FOR UPDATE OF h"
        with conn.cursor(row_factory=class_row(self.row_type)) as cursor:
            row = cursor.execute(query.encode(), (code,)).fetchone()
        if row is None:
            raise NotFoundError(code)
        if expected_row_version is not None and row.row_version != expected_row_version:
            raise RowVersionConflictError(f"{code} is at version {row.row_version}, not {expected_row_version}.")
        return row

    @property
    def _current(self) -> str:
        return f"""FROM {self.table} h
            JOIN {self.table}_version v ON v.{self.table}_id = h.id AND v.version = h.current_version"""
