"""Routers and the application: each route is worked out once, and those of the API have in common what all must."""

from fastapi.routing import APIRoute

from api.app import ROUTERS, create_app
from api.console.routes import ROUTERS as CONSOLE_ROUTERS
from api.known_parameters import refuse_unknown_parameters
from api.settings import ApiSettings
from api.versioned_router import PREFIX


def test_an_application_takes_the_routes_of_its_routers_as_they_are() -> None:
    made = {id(route) for router in (*ROUTERS, *CONSOLE_ROUTERS) for route in router.routes}
    taken = {id(route) for route in create_app(ApiSettings(database_url="")).routes}
    assert len(made) > 300
    assert made <= taken


def test_every_route_of_the_api_has_the_version_and_refuses_parameters_that_it_does_not_know() -> None:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert route.path.startswith(f"{PREFIX}/"), route.path
            calls = [dependency.call for dependency in route.dependant.dependencies]
            assert refuse_unknown_parameters in calls, route.path


def test_no_page_of_the_console_is_in_the_document() -> None:
    for router in CONSOLE_ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            assert not route.include_in_schema, route.path
