"""Edge nodes of a process: parts as all formats have them, and states that count from the commit on."""

from domain.reading import RejectionReason
from domain.sparkplug import DataType
from ingest.careful import Found, read_carefully
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.sparkplug.edges import REBIRTHS_A_SECOND, EdgeReader, Edges
from ingest.validate import find_window
from simulators.sparkplug_node import EdgeDevice, Publication, SparkplugNode
from simulators.sparkplug_payload import Metric, encode_payload

NOW_MS = 1_795_305_600_000
SENSORS = {
    "flow": SensorEntry(1, -10, 100, "mL/h"),
    "line/flow": SensorEntry(2, -10, 100, "mL/h"),
    "temperature": SensorEntry(3, 0, 100, "Cel"),
    "mode": SensorEntry(4, 0, 5, "1", {"RUN": 1.0}),
}
TABLE = DeviceTable(
    [
        DeviceEntry(1, "d", 0, SENSORS, "e"),
        DeviceEntry(2, "e", 0, {"load": SensorEntry(5, 0, 1, "1")}),
        DeviceEntry(3, "of another", 0, {"flow": SensorEntry(6, 0, 1, "1")}, "other"),
    ],
    version=1,
    shard_count=1,
)


def read(reader: EdgeReader, publication: Publication, *, header: int = 0, number: int = 0) -> Found:
    """What ingest makes of it."""
    message = Message(publication.topic.encode(), publication.payload, 0, header, len(publication.payload))
    window = find_window(NOW_MS * 1000 + number, retention_days=400, max_future_s=300)
    return read_carefully(message, TABLE, window, 1 << 20, 10_000, reader)


def begin(edges: Edges) -> EdgeReader:
    return edges.begin(TABLE, 1 << 20, 10_000)


def publish(verb: str, seq: int | None, *metrics: Metric, device: str | None = None) -> Publication:
    topic = "/".join(["spBv1.0", "g", verb, "e", *([] if device is None else [device])])
    return Publication(topic, encode_payload(NOW_MS, seq, metrics))


NBIRTH = publish("NBIRTH", 0, Metric(DataType.INT64, 1, name="bdSeq"))


def test_metrics_are_sensors_by_whole_name_or_by_what_follows_the_last_slash() -> None:
    reader = begin(Edges())
    read(reader, NBIRTH)
    names = ("Inlet/flow", "line/flow", "Air/temperature", "Room/temperature", "Properties/make")
    birth = publish("DBIRTH", 1, *(Metric(DataType.DOUBLE, 5.0 + i, name=n) for i, n in enumerate(names)), device="d")
    found = read(reader, birth)
    assert found.judged.series_id == [2]
    reasons = {(r.reason, r.field) for r in found.rejections}
    assert reasons == {
        (RejectionReason.UNKNOWN_SENSOR, "values.Inlet/flow"),  # "line/flow" ends so, too
        (RejectionReason.UNKNOWN_SENSOR, "values.Air/temperature"),
        (RejectionReason.UNKNOWN_SENSOR, "values.Room/temperature"),
        (RejectionReason.UNKNOWN_SENSOR, "values.Properties/make"),
    }


def test_units_quality_texts_history_and_what_is_no_reading() -> None:
    reader = begin(Edges())
    read(reader, NBIRTH)
    metrics = (
        Metric(DataType.DOUBLE, 50.0, name="in/temperature", alias=1, unit="°F"),
        Metric(DataType.STRING, "RUN", name="mode", alias=2),
        Metric(DataType.DATASET, b"", name="table", alias=3),
        Metric(DataType.DOUBLE, 1.0, name="flow", alias=4, quality=0),
    )
    found = read(reader, publish("DBIRTH", 1, *metrics, device="d"))
    assert found.judged.series_id == [3, 4, 1]
    assert found.judged.value == [10.0, 1.0, 1.0]
    assert [int(flag) for flag in found.judged.flags] == [0, 0, 4]
    assert [(r.reason, r.field) for r in found.rejections] == [(RejectionReason.UNSUPPORTED, "values.table")]
    assert [report.report.device_id for report in found.reports] == [1]

    old = Metric(DataType.DOUBLE, 77.0, alias=1, time_ms=NOW_MS - 5_000, is_historical=True)
    found = read(reader, publish("DDATA", 2, old, Metric(DataType.DOUBLE, 86.0, alias=1), device="d"))
    assert found.judged.value == [25.0, 30.0], "the birth's unit holds for the data"
    assert [int(flag) for flag in found.judged.flags] == [8, 0]


def test_the_node_counts_for_the_serial_that_is_its_id() -> None:
    reader = begin(Edges())
    load = Metric(DataType.DOUBLE, 0.5, name="load")
    found = read(reader, publish("NBIRTH", 0, Metric(DataType.INT64, 1, name="bdSeq"), load))
    assert (found.judged.series_id, found.rejections) == ([5], [])
    assert [report.report.device_id for report in found.reports] == [2]


def test_devices_of_other_gateways_and_unknown_ones() -> None:
    reader = begin(Edges())
    read(reader, NBIRTH)
    flow = Metric(DataType.DOUBLE, 0.5, name="flow")
    (other,) = {r.reason for r in read(reader, publish("DBIRTH", 1, flow, device="of another")).rejections}
    assert other is RejectionReason.NOT_ITS_GATEWAY
    unknown = read(reader, publish("DBIRTH", 2, flow, device="stranger")).rejections
    assert [r.reason for r in unknown] == [RejectionReason.UNKNOWN_SERIAL]


def test_a_batch_that_is_not_committed_changes_nothing() -> None:
    edges = Edges()
    node = SparkplugNode("g", "e", [EdgeDevice("d", ("flow",))])
    node.begin_session()
    births = node.bear(NOW_MS)
    first = node.report("d", NOW_MS, {"flow": 1.0}, NOW_MS)
    assert first is not None
    results = []
    for _ in range(2):  # decoded twice, as when a serial was registered in between
        reader = begin(edges)
        found = [read(reader, publication) for publication in (*births, first)]
        results.append([f.judged.value for f in found])
        assert edges.find("g", "e") is None
    assert results == [[[], [], [1.0]]] * 2
    edges.adopt(reader.find_changes())

    second = node.report("d", NOW_MS + 1, {"flow": 2.0}, NOW_MS)
    assert second is not None
    reader = begin(edges)
    assert read(reader, second).judged.value == [2.0]
    assert read(reader, first).judged.value == [], "it was taken before"
    assert read(begin(edges), second).judged.value == [2.0], "not committed, so not taken"


def test_retained_messages_are_refused() -> None:
    found = read(begin(Edges()), NBIRTH, header=1)
    assert [r.reason for r in found.rejections] == [RejectionReason.NOT_SPARKPLUG]


def test_not_all_edges_are_asked_at_once() -> None:
    reader = begin(Edges())
    for i in range(100):
        topic = f"spBv1.0/g/NDATA/edge-{i}"
        read(reader, Publication(topic, encode_payload(NOW_MS, 0, [])), number=i)
    assert len(reader.find_changes().wishes) == REBIRTHS_A_SECOND
    for i in range(100):
        topic = f"spBv1.0/g/NDATA/edge-{i}"
        read(reader, Publication(topic, encode_payload(NOW_MS, 1, [])), number=1_000_000 + i)
    wishes = reader.find_changes().wishes
    assert len({wish.edge for wish in wishes}) == len(wishes) == 2 * REBIRTHS_A_SECOND


def test_without_a_memory_births_are_read_and_data_are_not() -> None:
    flow = Metric(DataType.DOUBLE, 1.0, name="flow", alias=1)
    window = find_window(NOW_MS * 1000, retention_days=400, max_future_s=300)
    for verb, expected in (("DBIRTH", [1.0]), ("DDATA", [])):
        publication = publish(verb, 5, flow, device="d")
        message = Message(publication.topic.encode(), publication.payload, 0, 0, len(publication.payload))
        found = read_carefully(message, TABLE, window, 1 << 20, 10_000)
        assert found.judged.value == expected
