"""Views that people saved, as rows: each account's own, by list and name."""

from dataclasses import replace
from datetime import datetime

from psycopg.rows import class_row

from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.saved_view import MOST_VIEWS, SavedView, ViewPage
from store.pool import Connection

_COLUMNS = "id, page, name, query, is_default, row_version, updated_at"
LOAD_VIEWS = f"""
    SELECT {_COLUMNS} FROM saved_view WHERE user_id = %(user_id)s AND (%(page)s = '' OR page = %(page)s)
    ORDER BY page, lower(name), name
"""  # noqa: S608


def load_views(conn: Connection, user_id: int, page: ViewPage | None = None) -> list[SavedView]:
    """The account's views by name, of one list or of all."""
    with conn.cursor(row_factory=class_row(SavedView)) as cursor:
        found = cursor.execute(LOAD_VIEWS, {"user_id": user_id, "page": page or ""}).fetchall()
    return [_read(view) for view in found]


LOAD_VIEW = f"SELECT {_COLUMNS} FROM saved_view WHERE user_id = %s AND id = %s"  # noqa: S608


def load_view(conn: Connection, user_id: int, view_id: int) -> SavedView | None:
    """That view, if it is the account's."""
    with conn.cursor(row_factory=class_row(SavedView)) as cursor:
        found = cursor.execute(LOAD_VIEW, (user_id, view_id)).fetchone()
    return None if found is None else _read(found)


def _read(view: SavedView) -> SavedView:
    return replace(view, page=ViewPage(view.page))


# One after the other: the limit and the one default view hold whoever presses twice.
LOCK_OWNER = "SELECT FROM app_user WHERE id = %s FOR NO KEY UPDATE"
COUNT_VIEWS = "SELECT count(*) FROM saved_view WHERE user_id = %s AND page = %s"
CLEAR_DEFAULT = """
    UPDATE saved_view SET is_default = false, row_version = row_version + 1, updated_at = %(now)s
    WHERE user_id = %(user_id)s AND page = %(page)s AND is_default AND id IS DISTINCT FROM %(but)s::bigint
"""
RECORD_VIEW = f"""
    INSERT INTO saved_view (user_id, page, name, query, is_default, updated_at)
    VALUES (%(user_id)s, %(page)s, %(name)s, %(query)s, %(is_default)s, %(now)s)
    ON CONFLICT (user_id, page, name) DO NOTHING RETURNING {_COLUMNS}
"""  # noqa: S608


def record_view(
    conn: Connection, user_id: int, page: ViewPage, name: str, query: str, *, is_default: bool, now: datetime
) -> SavedView | None:
    """The new view; None: the account has one of that name for the list.

    Raises
    ------
    GuardRefusedError
        The list has `MOST_VIEWS` views.
    """
    conn.execute(LOCK_OWNER, (user_id,))
    row = conn.execute(COUNT_VIEWS, (user_id, page)).fetchone()
    if row is not None and row[0] >= MOST_VIEWS:
        raise GuardRefusedError("too_many_views", f"a list has at most {MOST_VIEWS} views; delete one first")
    wanted = {"user_id": user_id, "page": page, "name": name, "query": query, "is_default": False, "now": now}
    with conn.cursor(row_factory=class_row(SavedView)) as cursor:
        made = cursor.execute(RECORD_VIEW, wanted).fetchone()
    if made is None or not is_default:
        return None if made is None else _read(made)
    return change_view(conn, user_id, made.id, is_default=True, expected_row_version=None, now=now)


FIND_NAMESAKE = "SELECT FROM saved_view WHERE user_id = %s AND page = %s AND name = %s AND id <> %s"
CHANGE_VIEW = f"""
    UPDATE saved_view SET name = %(name)s, query = %(query)s, is_default = %(is_default)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s RETURNING {_COLUMNS}
"""  # noqa: S608


def change_view(
    conn: Connection,
    user_id: int,
    view_id: int,
    *,
    name: str | None = None,
    query: str | None = None,
    is_default: bool | None = None,
    expected_row_version: int | None,
    now: datetime,
) -> SavedView | None:
    """The view with what is not None changed; None: another view of the list has that name.

    Raises
    ------
    NotFoundError, RowVersionConflictError
    """
    conn.execute(LOCK_OWNER, (user_id,))
    before = load_view(conn, user_id, view_id)
    if before is None:
        raise NotFoundError(f"view {view_id}")
    if expected_row_version is not None and before.row_version != expected_row_version:
        raise RowVersionConflictError(f"view {view_id} is at version {before.row_version}, not {expected_row_version}.")
    if name is not None and conn.execute(FIND_NAMESAKE, (user_id, before.page, name, view_id)).fetchone() is not None:
        return None
    if is_default:
        conn.execute(CLEAR_DEFAULT, {"user_id": user_id, "page": before.page, "but": view_id, "now": now})
    wanted = {
        "id": view_id,
        "name": before.name if name is None else name,
        "query": before.query if query is None else query,
        "is_default": before.is_default if is_default is None else is_default,
        "now": now,
    }
    with conn.cursor(row_factory=class_row(SavedView)) as cursor:
        after = cursor.execute(CHANGE_VIEW, wanted).fetchone()
    assert after is not None
    return _read(after)


REMOVE_VIEW = "DELETE FROM saved_view WHERE user_id = %s AND id = %s"


def remove_view(conn: Connection, user_id: int, view_id: int) -> bool:
    """The view is gone; False: there was none of the account's."""
    return conn.execute(REMOVE_VIEW, (user_id, view_id)).rowcount > 0
