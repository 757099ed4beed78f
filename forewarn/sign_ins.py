"""The accounts of a first start, and where the demonstration keeps theirs."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from api.passwords import make_password
from domain.audit import Actor
from domain.roles import Role
from forewarn.commands.accounts import add_user
from forewarn.secrets_folder import FOLDER, write_private
from store.certificates import record_certificate
from store.pool import Connection
from store.profiles import load_profiles
from store.users import load_users

FILE = "sign-in.txt"


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account as a person uses it."""

    name: str
    password: str
    role: Role


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    full_name: str
    role: Role


SETUP = Actor("demo", "admin", "user.manage")
CERTIFIED_UNTIL = date(2099, 12, 31)
PEOPLE = (
    _Person("manager", "Mara Lindqvist", Role.SERVICE_MANAGER),
    _Person("technician", "Tom Okafor", Role.TECHNICIAN),
    _Person("dispatcher", "Dana Ruiz", Role.DISPATCHER),
    _Person("quality", "Quan Wei", Role.QUALITY_ENGINEER),
    _Person("approver", "Anke Vogt", Role.QUALITY_APPROVER),
    _Person("engineer", "Eitan Bar", Role.ENGINEER),
    _Person("auditor", "Aya Sato", Role.AUDITOR),
    _Person("admin", "Administrator", Role.ADMIN),
)


def make_demo_sign_ins(conn: Connection, var: Path) -> list[SignIn]:
    """One account for each role with a random password, made at the first start and kept in a private file.

    Later starts return what the file holds, whoever may have changed a password since.
    """
    file = var / FOLDER / FILE
    kept = _read(file)
    existing = {user.name for user in load_users(conn)}
    made = [SignIn(person.name, make_password(), person.role) for person in PEOPLE if person.name not in existing]
    full_names = {person.name: person.full_name for person in PEOPLE}
    for sign_in in made:
        add_user(
            conn,
            sign_in.name,
            full_names[sign_in.name],
            sign_in.password,
            [sign_in.role.value],
            must_change_password=False,
        )
    if not made:
        return kept
    for sign_in in made:
        if sign_in.role is Role.TECHNICIAN:
            # Without a certificate nobody could be given work, and the demonstration would end at the inbox.
            for model in load_profiles(conn):
                record_certificate(conn, SETUP, sign_in.name, model, CERTIFIED_UNTIL)
    renewed = {sign_in.name for sign_in in made}
    every = made + [sign_in for sign_in in kept if sign_in.name not in renewed]
    every.sort(key=lambda sign_in: [person.name for person in PEOPLE].index(sign_in.name))
    write_private(file, "".join(f"{s.name}\t{s.password}\t{s.role.value}\n" for s in every))
    return every


def make_first_admin(conn: Connection) -> SignIn | None:
    """An administrator with a password to be changed at the first sign-in; None where there are accounts already."""
    if load_users(conn, limit=1):
        return None
    sign_in = SignIn("admin", make_password(), Role.ADMIN)
    add_user(conn, sign_in.name, "Administrator", sign_in.password, [sign_in.role.value])
    return sign_in


def _read(file: Path) -> list[SignIn]:
    if not file.exists():
        return []
    known = {person.name for person in PEOPLE}
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return [SignIn(row[0], row[1], Role(row[2])) for row in rows if len(row) == 3 and row[0] in known]
