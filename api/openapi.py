"""The OpenAPI 3.1 document: every route with its permission, and every status that it may answer with."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from api.auth import Requirement
from api.problems import FieldError, ProblemShape, declare

DESCRIPTION = """
Readings, breaches, work orders and CAPA notices of Forewarn.

Send a token as `Authorization: Bearer fw_...` (`forewarn tokens create --role integrator --name erp` prints one).
Errors are problems after RFC 9457 and name the field. Lists are read page by page: pass `next_cursor` as `cursor`.
A change of a record needs `If-Match` with the ETag that was read. A POST may carry an `Idempotency-Key`.
"""
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `forewarn tokens create`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "forewarn_session",
        "description": "The console's session; unsafe methods need its CSRF token in X-CSRF-Token as well.",
    },
}


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` give the complete document."""
    app.openapi = lambda: _describe_once(app)  # type: ignore[method-assign]


def _describe_once(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = _make_document(app)
    return app.openapi_schema


def _make_document(app: FastAPI) -> dict[str, Any]:
    routes = [r for r in iter_route_contexts(app.routes) if (r.path or "").startswith("/api/")]
    document = get_openapi(
        title="Forewarn",
        version="1",
        openapi_version="3.1.0",
        description=DESCRIPTION.strip(),
        routes=routes,
        servers=[{"url": "/"}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    reference = "#/components/schemas/{model}"
    for shape in (ProblemShape, FieldError):
        schema = shape.model_json_schema(ref_template=reference)
        schema.pop("$defs", None)
        schemas[shape.__name__] = schema
    for route in routes:
        for method in (route.methods or set()) - {"HEAD"}:
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route)
    return document


def _complete(operation: dict[str, Any], route: Any) -> None:
    responses: dict[str, Any] = operation["responses"]
    # Every route refuses a query parameter that it does not know, and a body that is too large, wanted or not.
    general = [413, 422]
    permission = next(
        (d.call.permission for d in route.dependant.dependencies if isinstance(d.call, Requirement)), None
    )
    if permission is not None:
        general += [401, 403]
        operation["security"] = [{"token": []}, {"session": []}]
        operation["x-permission"] = permission.value
        operation["description"] = (operation.get("description", "") + f"\n\nPermission: `{permission.value}`.").strip()
    else:
        operation["security"] = []
    for status, declared in declare(*general, 500, 503).items():
        if str(status) == "422" or str(status) not in responses:
            responses[str(status)] = declared
