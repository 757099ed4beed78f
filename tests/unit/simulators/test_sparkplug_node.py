"""The simulated edge node keeps to the specification: sessions, sequence, births, history."""

from domain.sparkplug import BIRTH_DEATH, REBIRTH
from ingest.sparkplug.payload import Payload, decode_payload
from simulators.settings import SparkplugSettings
from simulators.sparkplug_edge import find_serials
from simulators.sparkplug_node import HISTORY_ENTRIES, EdgeDevice, Publication, SparkplugNode


def read(publication: Publication) -> Payload:
    payload = decode_payload(publication.payload, 1 << 20, 10_000)
    assert isinstance(payload, Payload)
    return payload


def make_node(*, capacity: int = 1_000) -> SparkplugNode:
    return SparkplugNode(
        "g",
        "e",
        [EdgeDevice("a", ("flow", "level"), {"flow": "mL/h"}), EdgeDevice("b", ("flow",))],
        first_bd_seq=255,
        capacity=capacity,
    )


def test_will_and_birth_have_the_number_of_the_session() -> None:
    node = make_node()
    for expected in (255, 0, 1):
        will = node.begin_session()
        birth = node.bear(5)[0]
        assert (will.topic, birth.topic) == ("spBv1.0/g/NDEATH/e", "spBv1.0/g/NBIRTH/e")
        assert read(will).seq is None
        numbers = [m.value for p in (will, birth) for m in read(p).metrics if m.name == BIRTH_DEATH]
        assert numbers == [expected, expected]
        assert any(m.name == REBIRTH and m.value is False for m in read(birth).metrics)


def test_births_then_data_by_alias_in_sequence() -> None:
    node = make_node()
    node.begin_session()
    births = node.bear(5)
    assert [p.topic for p in births[1:]] == ["spBv1.0/g/DBIRTH/e/a", "spBv1.0/g/DBIRTH/e/b"]
    assert all(m.is_null and m.datatype for p in births[1:] for m in read(p).metrics), "nothing has been measured yet"
    data = [node.report("a", 6 + i, {"level": float(i)}, 100 + i) for i in range(300)]
    assert all(p is not None for p in data)
    sequence = [read(p).seq for p in [*births, *(p for p in data if p is not None)]]
    assert sequence == [i % 256 for i in range(303)]
    names = {m.alias: m.name for p in births[1:] for m in read(p).metrics}
    (metric,) = read(data[7]).metrics if data[7] is not None else ()
    assert (metric.name, names[metric.alias], metric.timestamp, metric.value) == (None, "level", 13, 7.0)
    assert [m.value for m in read(node.bear(999)[1]).metrics] == [None, 299.0], "births say the newest value"


def test_what_is_measured_while_offline_is_sent_as_historical() -> None:
    node = make_node(capacity=HISTORY_ENTRIES + 10)
    for i in range(HISTORY_ENTRIES + 12):
        assert node.report("ab"[i % 2], i, {"flow": float(i)}, i) is None
    assert (node.waiting, node.lost) == (HISTORY_ENTRIES + 10, 2)
    assert node.take_history(1_000) is None
    node.begin_session()
    node.bear(1_000)
    found: list[float] = []
    while (publication := node.take_history(1_001)) is not None:
        metrics = read(publication).metrics
        assert all(m.is_historical for m in metrics)
        found += [float(m.value or 0) for m in metrics]
    assert sorted(found) == [float(i) for i in range(2, HISTORY_ENTRIES + 12)]


def test_a_dead_device_reports_nothing() -> None:
    node = make_node()
    node.begin_session()
    node.bear(5)
    assert node.lose_device("a", 6).topic == "spBv1.0/g/DDEATH/e/a"
    assert node.report("a", 7, {"flow": 1.0}, 7) is None
    assert len(node.bear(8)) == 2
    assert node.bear_device("a", 9).topic == "spBv1.0/g/DBIRTH/e/a"
    assert node.report("a", 10, {"flow": 1.0}, 10) is not None


def test_devices_of_a_simulated_edge() -> None:
    serials = {kind.model: serials for kind, serials in find_serials(SparkplugSettings("mqtt://x", devices=3))}
    assert serials == {"INF-200": ["EDGE-01-INF-01", "EDGE-01-INF-03"], "VEN-500": ["EDGE-01-VEN-02"]}
