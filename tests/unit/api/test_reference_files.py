"""What of the reference is made from the code is as the code makes it, and bodies of requests take JSON as it is."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from api.app import create_app
from api.public_routes import PUBLIC_ROUTES
from api.settings import ApiSettings
from api.shapes.pages import Sent
from domain.roles import Role
from forewarn.commands.openapi import make_openapi
from tests.unit.api.roles_page import COLUMNS, PAGE, describe_roles, find_addresses

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
STALE = "is not what the code says: `make reference` writes it anew"


@cache
def find_app() -> FastAPI:
    return create_app(ApiSettings(database_url=""))


def find_parts(annotation: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from find_parts(field.annotation, seen)
    for part in get_args(annotation):
        yield from find_parts(part, seen)


def test_the_committed_document_is_the_one_that_is_served() -> None:
    # `is True`: in 30,000 lines pytest would look for the difference for minutes.
    assert (DOCUMENT.read_text("utf-8") == make_openapi()) is True, f"{DOCUMENT.name} {STALE}"


def test_the_table_of_roles_is_that_of_the_code() -> None:
    assert set(COLUMNS) == set(Role)
    assert (PAGE.read_text("utf-8") == describe_roles(find_app())) is True, f"{PAGE.name} {STALE}"


def test_the_table_names_every_address_and_no_other_is_public() -> None:
    page = PAGE.read_text("utf-8")
    addresses = list(find_addresses(find_app()))
    assert len(addresses) > 200
    for address in addresses:
        shown = f"`{address.method} {address.path.removeprefix('/api/v1') if address.permission else address.path}`"
        assert shown in page
    public = {(a.method, a.path) for a in addresses if a.permission is None}
    assert public - PUBLIC_ROUTES == {("GET", "/static/…")}


def is_of_time(annotation: Any) -> bool:
    found = isinstance(annotation, type) and issubclass(annotation, date | AwareDatetime)
    return found or any(is_of_time(part) for part in get_args(annotation))


def takes(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


def test_no_number_is_taken_for_an_instant_or_a_day() -> None:
    asked: list[tuple[str, Any]] = []
    seen: set[type[BaseModel]] = set()
    for route in iter_route_contexts(find_app().routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None or not (route.path or "").startswith("/api/"):
            continue
        for query in dependant.query_params:
            kind: Any = Annotated[query.field_info.annotation, query.field_info]
            asked.append((f"{query.alias} of {route.path}", kind))
        for parameter in dependant.body_params:
            for shape in find_parts(parameter.field_info.annotation, seen):
                fields = get_type_hints(shape, include_extras=True)
                asked += [(f"{shape.__name__}.{name}", fields[name]) for name in shape.model_fields]
    of_time = [(name, annotation) for name, annotation in asked if is_of_time(annotation)]
    assert len(of_time) > 40
    for name, annotation in of_time:
        for number in (0, "0"):
            assert not takes(annotation, number), f"{name} takes {number!r}: use Instant or Day"


def test_every_part_of_a_body_takes_numbers_and_truth_values_as_they_are() -> None:
    seen: set[type[BaseModel]] = set()
    for route in iter_route_contexts(find_app().routes):
        dependant = getattr(route, "dependant", None)
        for parameter in dependant.body_params if dependant is not None else ():
            for shape in find_parts(parameter.field_info.annotation, seen):
                assert issubclass(shape, Sent), f"{shape.__name__} is part of a body and must be a Sent"
    assert len(seen) > 70


class _Inner(Sent):
    share: float = 0.5


class _Body(Sent):
    type: str = ""
    words: tuple[str, ...] | None = None
    count: int = 1
    urgent: bool = False
    inner: _Inner | None = None
    several: tuple[_Inner, ...] = ()


@pytest.mark.parametrize(
    "body",
    [
        {"count": "1"},
        {"count": True},
        {"urgent": 0},
        {"urgent": "yes"},
        {"inner": {"share": "0.5"}},
        {"several": [{"share": False}]},
        {"words": ["\ud800"]},
    ],
    ids=str,
)
def test_what_only_looks_like_the_type_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Input should be a valid"):
        _Body.model_validate(body)


def test_what_is_of_the_type_is_taken() -> None:
    taken = _Body.model_validate({"type": "x", "count": 2, "urgent": True, "inner": {"share": 1}, "several": [{}]})
    assert (taken.count, taken.urgent, taken.inner) == (2, True, _Inner(share=1.0))
