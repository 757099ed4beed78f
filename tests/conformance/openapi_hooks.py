"""What schemathesis is told beside the document: what stands for parameters of paths, which version a change has seen,
and whom it may not shut out."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import schemathesis

from tests.support.api_world import FIRST_CALLER_TOKEN

# Where `openapi_run` writes the values that there are, by path and parameter.
VALUES = "FOREWARN_OPENAPI_VALUES"
PREFIX = "/api/v1"
PLACES = ("path", "header")
IF_MATCH, OLD_ETAGS = "If-Match", ('"1"', '"2"')
CALLERS = frozenset({"everyone", "everyone-else", "author"})
schemathesis.serializer.alias("text/csv", "text/plain")  # files of master data are sent as they are


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """The records that there are, and bodies that fit, as examples: the systematic cases begin with them."""
    known = load_known()
    for path, item in raw_schema["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                found = known["parameters"][path].get(parameter["name"]) if parameter["in"] in PLACES else None
                if found:
                    parameter["examples"] = {str(n): {"value": value} for n, value in enumerate(found)}
            bodies = known["bodies"].get(f"{method.upper()} {path.removeprefix(PREFIX)}")
            if bodies:
                (content,) = operation["requestBody"]["content"].values()
                content["examples"] = {str(n): {"value": body} for n, body in enumerate(bodies)}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Two of the versions that a change may have seen become the newest one: what comes of it when nothing else is
    wrong is looked at as well. The others stay, and are refused."""
    if case.headers and case.headers.get(IF_MATCH) in OLD_ETAGS:
        newest = find_newest(case.formatted_path)
        if newest is not None:
            case.headers[IF_MATCH] = newest


def find_newest(path: str) -> str | None:
    """The ETag of what is changed there, or of the record that it is a part of."""
    while path.startswith(f"{PREFIX}/"):
        if etag := open_client().get(path).headers.get("ETag"):
            return str(etag)
        path = path.rpartition("/")[0]
    return None


@cache
def open_client() -> httpx.Client:
    """Asks as the caller does, as long as the process lives."""
    known = load_known()
    return httpx.Client(base_url=known["server"], headers=known["headers"], timeout=60)


def load_known() -> dict[str, Any]:
    """What `openapi_run` wrote down."""
    known: dict[str, Any] = json.loads(Path(os.environ[VALUES]).read_text("utf-8"))
    return known


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """False for what would shut out the caller of all later requests."""
    values = case.path_parameters or {}
    if case.path.startswith("/api/v1/tokens/"):
        token = str(values.get("token_id"))
        return not (token.isdecimal() and int(token) >= FIRST_CALLER_TOKEN)
    if "/sessions/" in case.path and str(values.get("session_id")).strip() == "1":  # the first that was opened
        return False
    if case.path.startswith("/api/v1/users/"):
        return str(values.get("name")).lower() not in CALLERS
    return True
