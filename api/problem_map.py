"""Whatever a handler raises, as the problem that the caller reads."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.allowed_methods import find_allowed_methods
from api.field_faults import find_field_errors
from api.problems import (
    GUARD_REFUSED,
    INVALID,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    ROW_VERSION_CONFLICT,
    UNAVAILABLE,
    ProblemError,
    find_kind,
    render_problem,
)
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from store.pool import DATABASE_GONE, UNUSABLE_VALUE

log = logging.getLogger("forewarn.api")
Render = Callable[[Request, ProblemError], Response]


def find_renderer(render_page: Render) -> Render:
    """What answers with a problem: as JSON below /api/, elsewhere as a page by `render_page`."""

    def render(request: Request, problem: ProblemError) -> Response:
        if request.url.path.startswith("/api/"):
            return render_problem(problem, request.state.request_id)
        response = render_page(request, problem)
        for name, value in problem.headers.items():
            response.headers.setdefault(name, value)
        return response

    return render


def map_problems(app: FastAPI, render: Render) -> None:
    """Every error of this application that is foreseen becomes a problem; the rest is `api.edge`'s."""

    def handle(translate: Callable[[Any], ProblemError]) -> Callable[[Request, Exception], Response]:
        return lambda request, error: render(request, translate(error))

    def handle_asked(translate: Callable[[Request, Any], ProblemError]) -> Callable[[Request, Exception], Response]:
        return lambda request, error: render(request, translate(request, error))

    app.add_exception_handler(ProblemError, handle(lambda error: error))
    app.add_exception_handler(RequestValidationError, handle_asked(_from_validation))
    app.add_exception_handler(HTTPException, handle_asked(_from_http))
    app.add_exception_handler(NotFoundError, handle(lambda error: ProblemError(NOT_FOUND, str(error))))
    app.add_exception_handler(
        GuardRefusedError, handle(lambda error: ProblemError(GUARD_REFUSED, str(error), guard=error.guard))
    )
    app.add_exception_handler(
        RowVersionConflictError, handle(lambda error: ProblemError(ROW_VERSION_CONFLICT, str(error)))
    )
    for unusable in UNUSABLE_VALUE:
        app.add_exception_handler(unusable, handle(_from_unusable))
    for gone in DATABASE_GONE:
        app.add_exception_handler(gone, handle(_from_database_gone))


def _from_validation(request: Request, error: RequestValidationError) -> ProblemError:
    if any(e["loc"][0] == "path" for e in error.errors()):
        allowed = find_allowed_methods(request)
        if request.method not in allowed:  # a word of ours where another route has the id of a record
            return ProblemError(METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})
    problem = ProblemError(INVALID)
    problem.errors = find_field_errors(error.errors(), skip=1)
    problem.detail = "; ".join(f"{e.field}: {e.detail}" for e in problem.errors)
    return problem


def _from_http(request: Request, error: HTTPException) -> ProblemError:
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework's, for a body that it cannot read
        return ProblemError(INVALID, fields={"body": "cannot be read; JSON is written in UTF-8"})
    kind = find_kind(error.status_code)
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    headers = dict(error.headers or {})
    if kind is METHOD_NOT_ALLOWED:  # the framework names those of the first route alone
        headers["Allow"] = ", ".join(find_allowed_methods(request))
    return ProblemError(kind, detail, headers=headers)


def _from_database_gone(error: Exception) -> ProblemError:
    log.error("the database could not answer: %s", error)
    return ProblemError(UNAVAILABLE, headers={"Retry-After": "2"})


def _from_unusable(error: Exception) -> ProblemError:
    log.warning("a value of the request cannot be used", exc_info=error)
    return ProblemError(INVALID, "A value holds a NUL character, half a character, or a number out of range.")
