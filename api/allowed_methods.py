"""Which methods an address takes, whichever of its routes the request came to."""

import re
from functools import cache

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def find_allowed_methods(request: Request) -> list[str]:
    """The methods of the request's address, of all its routes together, in the order of the alphabet.

    Where several templates fit, as `/work-orders/transitions` fits `/work-orders/{code}` too, it is the one with the
    fewest parameters that the address was made for.
    """
    methods: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and _compile(route.path).match(request.url.path):
            methods.setdefault(route.path, set()).update(route.methods)
    return sorted(methods[min(methods, key=lambda path: path.count("{"))]) if methods else []


@cache
def _compile(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]
