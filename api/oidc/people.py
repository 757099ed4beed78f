"""Whose account an identity at the provider is: found by issuer and subject, made at the first sign-in, and its roles.

An account that has the same name or address is somebody else's until its owner ties it (`api.oidc.flow`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.settings import OidcSettings
from domain.audit import Actor
from domain.audit_sign_in import identity_tied
from domain.audit_user import user_changed, user_created
from store.audit import record_audit
from store.pool import Connection
from store.provider_identities import load_linked_account, record_identity, touch_identity
from store.sessions import remove_sessions_of
from store.users import User, load_password_hash, load_user, record_account, record_user

PROVIDER = Actor("provider", "", "account.use")
_UNFIT = re.compile(r"[^a-z0-9._-]+")
NAMES_TRIED = 100


@dataclass(frozen=True, slots=True)
class Person:
    """Who came from the provider."""

    subject: str
    name: str  # what an account would be called after
    full_name: str
    groups: tuple[str, ...]


def read_person(settings: OidcSettings, claims: Mapping[str, Any]) -> Person:
    """Who the claims speak of, as far as it is of use here."""
    wish = claims.get(settings.name_claim)
    name = _UNFIT.sub(".", wish.lower().partition("@")[0])[:60].strip("._-") if isinstance(wish, str) else ""
    spoken = claims.get("name")
    full_name = "".join(c for c in spoken if c.isprintable()).strip()[:200] if isinstance(spoken, str) else ""
    groups = claims.get(settings.groups_claim, [])
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return Person(
        str(claims["sub"]), name or "person", full_name or name or "?", tuple(g for g in listed if isinstance(g, str))
    )


def find_mapped_roles(settings: OidcSettings, person: Person) -> list[str] | None:
    """The roles that the person's groups give; None where roles are given here and not by the provider."""
    mapping = settings.find_roles()
    return sorted({role.value for group, role in mapping if group in person.groups}) if mapping else None


def find_or_make_account(
    conn: Connection, settings: OidcSettings, person: Person, *, at: datetime, request_id: str
) -> User | None:
    """The account of that person with the roles of today; None where there is none and none may be made, or it is
    disabled."""
    actor = Actor(PROVIDER.name, PROVIDER.role, PROVIDER.permission, None, request_id)
    roles = find_mapped_roles(settings, person)
    known = load_linked_account(conn, settings.issuer, person.subject)
    if known is None:
        return _make_account(conn, settings, person, roles or [], actor, at=at) if settings.new_accounts else None
    user = load_user(conn, known)
    if user is None or user.status != "ACTIVE":
        return None
    touch_identity(conn, settings.issuer, person.subject, at=at)
    # An account of one customer keeps the roles that it was given here: no group says whose rows it sees.
    if roles is not None and user.customer_id is None and roles != sorted(user.roles):
        user = _give_roles(conn, user, roles, actor)
    return user


def tie_account(
    conn: Connection, settings: OidcSettings, person: Person, user_id: int, name: str, actor: Actor, *, at: datetime
) -> bool:
    """The account is that identity's from now on; False, and nothing changed, where one of them is tied already."""
    if not record_identity(conn, settings.issuer, person.subject, user_id, at=at):
        return False
    record_audit(conn, actor, identity_tied(name, issuer=settings.issuer, subject=person.subject))
    return True


def _give_roles(conn: Connection, user: User, roles: list[str], actor: Actor) -> User:
    load_password_hash(conn, user.id)  # locks the row: nobody changes the account between these two
    before = load_user(conn, user.name) or user
    record_account(
        conn,
        user.id,
        row_version=before.row_version,
        full_name=before.full_name,
        roles=roles,
        customer_id=before.customer_id,
        status=before.status,
    )
    remove_sessions_of(conn, user.id)
    entry = user_changed(user.name, {"roles": before.roles}, {"roles": roles}, "groups at the provider")
    record_audit(conn, actor, entry)
    return load_user(conn, user.name) or before


def _make_account(
    conn: Connection, settings: OidcSettings, person: Person, roles: list[str], actor: Actor, *, at: datetime
) -> User | None:
    for number in range(1, NAMES_TRIED):
        # A name that is taken is another person's, whoever claims it at the provider.
        name = person.name if number == 1 else f"{person.name}-{number}"
        user_id = record_user(
            conn,
            name=name,
            full_name=person.full_name,
            password_hash=None,
            roles=roles,
            must_change_password=False,
        )
        if user_id is not None:
            record_audit(conn, actor, user_created(name, full_name=person.full_name, roles=roles, customer=None))
            if not tie_account(conn, settings, person, user_id, name, actor, at=at):
                conn.rollback()  # the same person came twice at once, and the other one was quicker
                return None
            return load_user(conn, name)
    return None
