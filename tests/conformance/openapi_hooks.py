"""What schemathesis is told beside the document: what stands for parameters of paths, and whom it may not shut out."""

import json
import os
from pathlib import Path
from typing import Any

import schemathesis

from tests.support.api_world import FIRST_CALLER_TOKEN

# Where `openapi_run` writes the values that there are, by path and parameter.
VALUES = "FOREWARN_OPENAPI_VALUES"
PREFIX = "/api/v1"
PLACES = ("path", "header")
CALLERS = frozenset({"everyone", "everyone-else", "author"})
schemathesis.serializer.alias("text/csv", "text/plain")  # files of master data are sent as they are


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """The records that there are, and bodies that fit, as examples: the systematic cases begin with them."""
    known = json.loads(Path(os.environ[VALUES]).read_text("utf-8"))
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
