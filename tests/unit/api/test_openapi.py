"""The OpenAPI document is complete in itself."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from api.app import create_app
from api.docs_page import describe_page
from api.known_parameters import find_query_parameters
from api.settings import ApiSettings


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(ApiSettings(database_url="postgresql://nobody@127.0.0.1:1/none"))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def find_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert used <= known
    assert "HTTPValidationError" not in json.dumps(document)


def test_every_operation_says_what_it_is_who_may_and_what_it_answers(document: dict[str, Any]) -> None:
    ids = []
    for name, operation in find_operations(document):
        ids.append(operation["operationId"])
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert (operation["security"] != []) == ("x-permission" in operation), name
        if "x-permission" in operation:
            assert {"401", "403"} <= set(operation["responses"]), name
        assert {"500", "503"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            media = response.get("content", {})
            assert status == "204" or media, f"{name} {status}"
            assert int(status) < 400 or list(media) == ["application/problem+json"], f"{name} {status}"
        for parameter in operation.get("parameters", []):
            assert parameter["name"] not in ("self", "request", "pool", "caller"), name
    assert len(ids) == len(set(ids))


def test_changes_of_records_ask_for_if_match(document: dict[str, Any]) -> None:
    for name, operation in find_operations(document):
        headers = {p["name"].lower() for p in operation.get("parameters", []) if p["in"] == "header"}
        # Many records at once: the versions that were seen stand in the body.
        is_bulk = name == "post /api/v1/work-orders/transitions"
        if (name.endswith("/transitions") and not is_bulk) or name.startswith("patch"):
            assert "if-match" in headers, name
            assert {"412", "428"} <= set(operation["responses"]), name
        # The same file is attached once, so its content is the key.
        is_file = name == "post /api/v1/work-orders/{code}/attachments"
        if "201" in operation["responses"] and not is_file:
            assert "idempotency-key" in headers, name


def test_the_page_shows_every_operation_and_schema(document: dict[str, Any]) -> None:
    page = describe_page(document)
    shown = [f"{o['method'].lower()} {o['path']}" for group in page["groups"].values() for o in group]
    assert sorted(shown) == sorted(name for name, _ in find_operations(document))
    assert set(page["schemas"]) == set(document["components"]["schemas"])


def test_the_query_parameters_that_are_taken_are_those_that_are_published(
    app: FastAPI, document: dict[str, Any]
) -> None:
    compared = 0
    for context in iter_route_contexts(app.routes):
        for method, operation in document["paths"].get(context.path_format, {}).items():
            if method.upper() in (context.methods or ()):
                published = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
                # A request knows the route as its router has it, before it was included in the application.
                assert isinstance(context.route, APIRoute)
                taken = set(find_query_parameters(context.route.dependant))
                assert taken == published, f"{method} {context.path}"
                compared += len(published)
    assert compared > 100
