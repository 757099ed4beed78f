"""Query parameters that no route knows are refused: a filter with a typing error would otherwise show everything."""

from difflib import get_close_matches
from typing import Any

from fastapi import Request

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
    known = _find_known(request)
    if known is None:
        return
    fields = {}
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"
            fields[name[:100]] = f"is no parameter of this address{hint}"
    if fields:
        raise ProblemError(INVALID, fields=fields)


def _find_known(request: Request) -> set[str] | None:
    # The published document is the list of what a route takes; FastAPI keeps it once it is built.
    paths: dict[str, Any] = request.app.openapi()["paths"]
    path = request.url.path
    for name, value in request.path_params.items():
        path = path.replace(f"/{value}", f"/{{{name}}}", 1)
    operation = paths.get(path, {}).get(request.method.lower())
    if operation is None:  # a value in the path that looks like another part of it: better unchecked than refused
        return None
    return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
