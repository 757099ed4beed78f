"""The first day of an installation: no device model, no customer, no reading, and every page is there."""

from api.console.navigation import PLACES
from domain.roles import ROLE_PERMISSIONS, Role
from tests.support.console_pages import Console
from tests.support.databases import Database
from tests.support.http_api import running_api


def test_every_place_opens_for_everybody_and_a_plan_waits_for_a_device_model(database: Database) -> None:
    with running_api(database.url) as api:
        console = Console(api, {f"a-{role}": role for role in Role if role is not Role.CUSTOMER})
        opened = 0
        for role in Role:
            for place in PLACES:
                if role is not Role.CUSTOMER and place.permission in ROLE_PERMISSIONS[role]:
                    console.read(f"a-{role}", place.href)
                    opened += 1
        assert opened > 100
        page = console.read(f"a-{Role.SERVICE_MANAGER}", "/plans")
        assert "No profile was applied yet." in page
        assert 'action="/plans/new"' not in page
