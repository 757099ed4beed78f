"""From a simulated device over MQTT, through every program, to a line in an open inbox."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from domain.installed_base import InstalledDevice
from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD, load_profile_of, make_people
from tests.e2e.service import running_api
from tests.support.brokers import embedded_broker
from tests.support.databases import DatabaseServer
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline, make_reading, telemetry_topic
from tests.support.publisher import publish_all

pytestmark = pytest.mark.browser
SERIAL = "INF-90001"


@pytest.fixture
def running(postgres_server: DatabaseServer, tmp_path: Path) -> Iterator[tuple[Pipeline, str]]:
    """Ingest, anomaly, service-link and the API on a fresh database and broker, one pump registered."""
    pump = load_profile_of("infusion_pump")
    device = InstalledDevice(
        serial=SERIAL,
        model=pump.model,
        installed_on=date(2025, 3, 10),
        firmware="2.3.0",
        customer_ref="C-1",
        customer_name="Riverbank Hospital",
        site_ref="S-1",
        site_name="ICU 3",
        site_time_zone="Asia/Shanghai",
    )
    with ExitStack() as stack:
        database = stack.enter_context(postgres_server.fresh_database())
        port = stack.enter_context(embedded_broker()).port
        pipeline = stack.enter_context(running_pipeline(tmp_path, database, port, [device], profile=pump))
        with psycopg.connect(database.owner_url) as conn:
            make_people(conn, pump.model)
        url, _ = stack.enter_context(running_api(tmp_path / "api", database))
        pipeline.wait_until_ready()
        yield pipeline, url


def publish(pipeline: Pipeline, pressure: float, seconds: int, start: float) -> None:
    """So many readings, one a second up to now, in one go."""
    messages = []
    for second in range(seconds):
        at = datetime.fromtimestamp(start + second, UTC)
        values = {"pressure": pressure + 0.5 * math.sin(second), "flow_error": 0.1 * math.cos(second)}
        messages.append((telemetry_topic(SERIAL), make_reading(at, values)))
    publish_all(pipeline.mqtt_port, messages, client_id="pump")


def test_a_fault_appears_in_the_open_inbox(chromium: Browser, running: tuple[Pipeline, str]) -> None:
    pipeline, url = running
    start = time.time() - 120
    publish(pipeline, 20.0, 90, start)
    with open_page(chromium, url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        expect(page.get_by_text("Nothing to decide.")).to_be_visible()
        expect(page.get_by_text("devices reporting; scoring last ran")).to_be_visible()
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        publish(pipeline, 80.0, 25, start + 90)
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        page.locator("#pending button").click()
        row = page.locator("tr[data-row]")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("Occlusion of the line: Downstream pressure")
        expect(row).to_contain_text("Riverbank Hospital")
        row.locator("a").first.click()
        expect(page.locator("[data-panels=evidence-panels] .chart[data-drawn]")).to_have_count(1)
        expect(page.get_by_text("A breach of severity major or above").first).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])
