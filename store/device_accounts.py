"""Accounts of devices and gateways at the broker, as they are known here: never a password."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.broker_account import AccountKind, BrokerAccount, SignInMethod
from domain.errors import NotFoundError
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class DeviceAccount:
    """One account on record. `rotated_at` is when its present password or method was set."""

    username: str
    kind: str
    name: str  # serial or gateway
    method: str
    thingsboard: bool
    state: str
    created_at: datetime
    rotated_at: datetime
    revoked_at: datetime | None
    changed_by: str


_COLUMNS = """
    a.username, a.kind, coalesce(d.serial, g.name) AS name, a.method, a.thingsboard, a.state, a.created_at,
    a.rotated_at, a.revoked_at, a.changed_by
    FROM device_account a LEFT JOIN device d ON d.id = a.device_id LEFT JOIN gateway g ON g.id = a.gateway_id
"""
LOAD_ACCOUNT = f"SELECT {_COLUMNS} WHERE a.username = %s"
LOAD_ACCOUNTS = f"SELECT {_COLUMNS} ORDER BY a.kind, a.username"


def load_account(conn: Connection, username: str) -> DeviceAccount | None:
    """The account of that name, revoked ones too."""
    with conn.cursor(row_factory=class_row(DeviceAccount)) as cursor:
        return cursor.execute(LOAD_ACCOUNT, (username,)).fetchone()


def load_accounts(conn: Connection) -> list[DeviceAccount]:
    """Every account, revoked ones too: devices by serial, then gateways by name."""
    with conn.cursor(row_factory=class_row(DeviceAccount)) as cursor:
        return cursor.execute(LOAD_ACCOUNTS).fetchall()


LOCK_DEVICE = "SELECT id FROM device WHERE serial = %s FOR UPDATE"
LOCK_GATEWAY = "SELECT id FROM gateway WHERE name = %s FOR UPDATE"


def lock_owner(conn: Connection, account: BrokerAccount) -> int:
    """The id of the device or gateway; its row stays locked, so that two changes of one account come one by one.

    Raises
    ------
    NotFoundError
        Nobody has registered it.
    """
    is_device = account.kind is AccountKind.DEVICE
    row = conn.execute(LOCK_DEVICE if is_device else LOCK_GATEWAY, (account.name,)).fetchone()
    if row is None:
        raise NotFoundError(f"({account.kind} {account.name!r})")
    return int(row[0])


RECORD_ACCOUNT = """
    INSERT INTO device_account (username, kind, device_id, gateway_id, method, thingsboard, changed_by)
    VALUES (%(username)s, %(kind)s, %(device_id)s, %(gateway_id)s, %(method)s, %(thingsboard)s, %(by)s)
    ON CONFLICT (username) DO UPDATE SET method = excluded.method, thingsboard = excluded.thingsboard,
        state = 'ACTIVE', rotated_at = now(), revoked_at = NULL, changed_by = excluded.changed_by
"""


def record_account(conn: Connection, account: BrokerAccount, owner_id: int, method: SignInMethod, *, by: str) -> None:
    """The account is active with that method, made or made anew now."""
    is_device = account.kind is AccountKind.DEVICE
    conn.execute(
        RECORD_ACCOUNT,
        {
            "username": account.username,
            "kind": account.kind.value,
            "device_id": owner_id if is_device else None,
            "gateway_id": None if is_device else owner_id,
            "method": method.value,
            "thingsboard": account.thingsboard,
            "by": by,
        },
    )


REVOKE_ACCOUNT = """
    UPDATE device_account SET state = 'REVOKED', revoked_at = now(), changed_by = %(by)s
    WHERE username = %(username)s AND state = 'ACTIVE'
"""


def revoke_account(conn: Connection, username: str, *, by: str) -> bool:
    """The account is revoked; False where there is none, or it was revoked before."""
    return conn.execute(REVOKE_ACCOUNT, {"username": username, "by": by}).rowcount == 1


IS_GONE = "SELECT EXISTS (SELECT FROM device WHERE serial = %s AND lifecycle = 'DECOMMISSIONED')"


def is_owner_gone(conn: Connection, account: BrokerAccount) -> bool:
    """Whether the device is decommissioned: it gets no account any more. A gateway has no life-cycle."""
    row = conn.execute(IS_GONE, (account.name,)).fetchone() if account.kind is AccountKind.DEVICE else None
    return row is not None and bool(row[0])
