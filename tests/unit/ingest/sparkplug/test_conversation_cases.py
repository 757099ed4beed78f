"""Every folder of tests/cases with a conversation: messages of edge nodes in their order, and what each one meant."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.careful import read_carefully
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.sparkplug.edges import Edges
from ingest.validate import find_window

CASES = Path(__file__).parents[3] / "cases"
CONVERSATIONS = sorted(path.parent for path in CASES.glob("*/conversation.json"))
RECEIVED_US = 1_795_305_600_000_000  # 2026-11-22T00:00:00Z, a second later for each message


def load_table() -> DeviceTable:
    registry = json.loads((CASES / "registry.json").read_text("utf-8"))
    return DeviceTable(
        (
            DeviceEntry(
                device["device_id"],
                serial,
                device["shard"],
                {k: SensorEntry(s["series_id"], s["min"], s["max"], s["unit"]) for k, s in device["sensors"].items()},
                device.get("gateway"),
            )
            for serial, device in registry["devices"].items()
        ),
        version=1,
        shard_count=2,
    )


def read_conversation(folder: Path, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What comes out of each message; every one is a batch of its own that is committed."""
    table, edges, found = load_table(), Edges(), []
    for number, message in enumerate(messages):
        payload = (folder / message["payload"]).read_bytes()
        window = find_window(RECEIVED_US + number * 1_000_000, retention_days=400, max_future_s=300)
        reader = edges.begin(table, 1 << 20, 10_000)
        arrived = Message(message["topic"].encode(), payload, 0, 0, len(payload))
        read = read_carefully(arrived, table, window, 1 << 20, 10_000, reader)
        changes = reader.find_changes()
        edges.adopt(changes)
        judged = read.judged
        found.append(
            {
                "readings": [
                    [s, v, int(f)] for s, v, f in zip(judged.series_id, judged.value, judged.flags, strict=True)
                ],
                "refused": [[r.reason.value, r.field] for r in read.rejections],
                "states": [[r.report.device_id, str(getattr(r.report, "state", ""))] for r in read.reports],
                "asks_for_births": bool(changes.wishes),
            }
        )
    return found


@pytest.mark.parametrize("folder", CONVERSATIONS, ids=lambda folder: folder.name)
def test_conversation(folder: Path) -> None:
    messages = json.loads((folder / "conversation.json").read_text("utf-8"))["messages"]
    for message, found in zip(messages, read_conversation(folder, messages), strict=True):
        assert found == {key: message[key] for key in found}, message["about"]


def test_there_are_conversations() -> None:
    assert CONVERSATIONS
