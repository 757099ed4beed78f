"""Who acts when a form of the console is sent: the person, by the right that the step needs, for guards and audit."""

from collections.abc import Iterable

from api.auth import Caller, missing_permission
from domain.audit import Actor
from domain.roles import Permission


def find_actor(caller: Caller, needed: Iterable[Permission]) -> Actor:
    """The caller acting by the first of these rights that he has.

    Raises
    ------
    ProblemError
        403: he has none of them.
    """
    wanted = tuple(needed)
    held = next((permission for permission in wanted if caller.may(permission)), None)
    if held is None:
        raise missing_permission(wanted[0])
    acting = caller.acting_by(held)
    return Actor(caller.name, acting.role, held.value, caller.user_id, caller.request_id)
