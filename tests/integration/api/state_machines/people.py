"""Who drives the machines: people of every role, two of some, some of two roles, a customer's own, and tokens.

What a role may do stands in each machine's own table, as the service's rules say it; nothing here is read from the code
under test.
"""

from dataclasses import dataclass

from argon2 import PasswordHasher

from domain.roles import Role
from store.customers import load_customer_id
from store.pool import open_connection
from store.users import record_user
from tests.support.http_api import PASSWORD, Api

SIGNED = {"password": PASSWORD, "meaning": "Seen and signed"}
# Name, roles and, of those who work for one customer, which.
PEOPLE: dict[str, tuple[tuple[str, ...], str | None]] = {
    "tina": (("technician",), None),
    "otto": (("technician",), None),
    "tim": (("technician", "service_manager"), None),
    "dirk": (("dispatcher",), None),
    "mona": (("service_manager",), None),
    "max": (("service_manager",), None),
    "quinn": (("quality_engineer",), None),
    "rosa": (("quality_engineer",), None),
    "ambi": (("quality_engineer", "quality_approver"), None),
    "ada": (("quality_approver",), None),
    "bob": (("quality_approver",), None),
    "eva": (("engineer",), None),
    "erik": (("engineer", "quality_approver"), None),
    "stella": (("data_steward",), None),
    "aude": (("auditor",), None),
    "carl": (("customer",), "T-C0"),
    "cora": (("customer",), "T-C1"),
    "root": (("admin",), None),
}
TOKENS = ("integrator", "service_manager", "technician", "quality_engineer", "quality_approver", "engineer")


@dataclass(frozen=True)
class Person:
    """Somebody with an account, or a token (`id` None)."""

    name: str
    roles: frozenset[str]
    id: int | None
    headers: dict[str, str]
    customer: str | None = None

    def has(self, *roles: str) -> bool:
        """Whether he has one of these roles."""
        return not self.roles.isdisjoint(roles)


def make_people(api: Api) -> dict[str, Person]:
    """Everybody, signed in."""
    # One cheap hash for all: signing is what the machines do most.
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    people: dict[str, Person] = {}
    with open_connection(api.settings.database_url, application="test") as conn:
        for name, (roles, customer) in PEOPLE.items():
            user_id = record_user(
                conn,
                name=name,
                full_name=name.title(),
                password_hash=cheap,
                roles=list(roles),
                must_change_password=False,
                customer_id=None if customer is None else load_customer_id(conn, customer),
            )
            people[name] = Person(name, frozenset(roles), user_id, {}, customer)
    for name, person in people.items():
        person.headers.update(api.sign_in(name).writing)
    for role in TOKENS:
        name = f"token of {role}"
        people[name] = Person(name, frozenset({role}), None, api.token(Role(role)))
    return people
