"""Query parameters that no route knows are refused: a filter with a typing error would otherwise show everything."""

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from api.problems import INVALID, ProblemError


def refuse_unknown_parameters(request: Request) -> None:
    """Returns when the route declares every query parameter of the request.

    Raises
    ------
    ProblemError
        422, with each unknown one named.
    """
    if not request.query_params:
        return
    known = set(find_query_parameters(request.scope["route"].dependant))
    fields = {}
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"
            fields[name[:100]] = f"is no parameter of this address{hint}"
    if fields:
        raise ProblemError(INVALID, fields=fields)


def find_query_parameters(dependant: Dependant) -> Iterator[str]:
    """The names of all query parameters that a route asks for, by itself or by what it depends on.

    These are the ones of the published document, without the second that it takes to make that document.
    """
    for parameter in dependant.query_params:
        yield parameter.alias
    for needed in dependant.dependencies:
        yield from find_query_parameters(needed)
