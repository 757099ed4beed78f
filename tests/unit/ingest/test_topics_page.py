"""Every example of docs/reference/topics.md is read as the page says, by the decoder of its topic."""

import re
from pathlib import Path

import pytest

from ingest.careful import Found, read_carefully
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.validate import find_window

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "topics.md"
EXAMPLES = re.findall(r"^```mqtt\n(\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
SENSORS = {
    "temperature": SensorEntry(1, -40.0, 150.0, "Cel"),
    "mode": SensorEntry(2, 0.0, 1.0, "1", {"idle": 0.0, "running": 1.0}),
    "power": SensorEntry(3, 0.0, 1e3, "W"),
    "power_sum": SensorEntry(4, 0.0, 1e6, "kW.h"),
}
WINDOW = find_window(1_795_305_600_000_000, retention_days=400, max_future_s=300)


def _read(topic: str, text: str) -> Found:
    devices = [DeviceEntry(i, f"SN-000{i}", 0, SENSORS, "GW-1") for i in (1, 2)]
    payload = bytes.fromhex(text) if topic.endswith("-cbor") else text.encode()
    message = Message(topic.encode(), payload, 1, 0x32, len(payload))
    return read_carefully(message, DeviceTable(devices, version=1, shard_count=1), WINDOW, 1 << 20, 10_000)


@pytest.mark.parametrize(("topic", "text"), EXAMPLES, ids=[topic for topic, _ in EXAMPLES])
def test_nothing_of_an_example_is_refused(topic: str, text: str) -> None:
    found = _read(topic, text)
    assert [rejection.detail for rejection in found.rejections] == []
    assert found.judged.value or found.reports


def test_the_examples_say_what_the_page_says() -> None:
    values = {topic: _read(topic, text).judged.value for topic, text in EXAMPLES}
    assert values["forewarn/v1/SN-0001/telemetry"] == [37.0, 1.0]
    assert values["forewarn/v1/SN-0001/senml"] == [36.6, 36.55, 120.0, 2.0, 1.0]
    assert values["forewarn/v1/SN-0001/senml-cbor"] == [36.6]
    assert values["forewarn/v1/gateway/GW-1/senml"] == values["v1/gateway/telemetry"] == [36.6, 36.7]
    assert len(EXAMPLES) >= 7
