"""The state machine of an edge node: what is believed, what is refused, and when a rebirth is asked for."""

from dataclasses import replace

from domain.reading import RejectionReason
from domain.sparkplug import DataType, MessageKind
from ingest.decode import Problem
from ingest.sparkplug.edge import EdgeState
from ingest.sparkplug.machine import EdgeMessage, Step, step
from ingest.sparkplug.meaning import AllLost, Presence, Reading
from ingest.sparkplug.payload import Metric, Payload
from ingest.sparkplug.rows import to_row, to_state

NOW_US = 1_795_305_600_000_000
NOW_MS = NOW_US // 1000
EMPTY = EdgeState("g", "e")


def metric(name: str | None = None, alias: int | None = None, value: float | None = None, **rest: object) -> Metric:
    """A metric of type Double; in births with its name."""
    fields: dict[str, object] = {
        "timestamp": NOW_MS,
        "datatype": None if name is None else DataType.DOUBLE,
        "is_historical": False,
        "is_transient": False,
        "is_null": value is None,
        "choice": None if value is None else "double_value",
        "unit": None,
        "quality": None,
    }
    return Metric(name=name, alias=alias, value=value, **(fields | rest))  # type: ignore[arg-type]


def bd_seq(number: int) -> Metric:
    return metric("bdSeq", datatype=DataType.INT64, choice="long_value", value=number, is_null=False)


class Conversation:
    """Messages to one edge node's state, one after the other."""

    def __init__(self) -> None:
        self.state = EMPTY
        self.now_us = NOW_US
        self._count = 0

    def take(
        self,
        kind: MessageKind,
        seq: int | None,
        *metrics: Metric,
        device: str | None = None,
        digest: bytes = b"",
        sent_ms: int = NOW_MS,
    ) -> Step:
        self._count += 1
        self.now_us += 1_000
        payload = Payload(sent_ms, seq, metrics)
        digest = digest or self._count.to_bytes(8)
        taken = step(self.state, EdgeMessage(kind, device, payload, digest, self.now_us))
        # What is stored is what goes on.
        self.state = to_state(replace(to_row(taken.state, None)))
        assert self.state == taken.state
        return taken

    def bear(self, number: int = 1, *, alias: int = 1) -> None:
        """Node and device `d` with the metric `flow`."""
        self.take(MessageKind.NBIRTH, 0, bd_seq(number), metric("load", 9, 0.5))
        self.take(MessageKind.DBIRTH, 1, metric("flow", alias, 1.0), device="d")

    def send(self, seq: int, *metrics: Metric, **rest: object) -> Step:
        return self.take(MessageKind.DDATA, seq, *metrics, device="d", **rest)  # type: ignore[arg-type]


def readings(taken: Step) -> list[tuple[str | None, str, object]]:
    return [(part.device, part.name, part.value) for part in taken.parts if isinstance(part, Reading)]


def reasons(taken: Step) -> list[RejectionReason]:
    return [part.reason for part in taken.parts if isinstance(part, Problem)]


def test_births_declare_aliases_and_are_readings_too() -> None:
    talk = Conversation()
    node = talk.take(
        MessageKind.NBIRTH, 0, bd_seq(3), metric("Node Control/Rebirth", value=0.0), metric("load", 9, 0.5)
    )
    assert readings(node) == [(None, "load", 0.5)]
    assert Presence(None, True) in node.parts

    device = talk.take(MessageKind.DBIRTH, 1, metric("flow", 1, 2.0, unit="kPa"), metric("off", 2), device="d")
    assert readings(device) == [("d", "flow", 2.0)]
    assert Presence("d", True) in device.parts

    (data,) = talk.send(2, metric(alias=1, value=3.0)).parts
    assert isinstance(data, Reading)
    assert (data.name, data.value, data.unit, data.quality) == ("flow", 3.0, "kPa", "good")
    assert readings(talk.take(MessageKind.NDATA, 3, metric(alias=9, value=0.7))) == [(None, "load", 0.7)]


def test_sequence_begins_again_after_255() -> None:
    talk = Conversation()
    talk.bear()
    for i in range(2, 600):
        taken = talk.send(i % 256, metric(alias=1, value=float(i)))
        assert readings(taken) == [("d", "flow", float(i))]
        assert taken.wish is None


def test_after_a_gap_nothing_is_believed_until_the_births() -> None:
    talk = Conversation()
    talk.bear()
    lost = talk.send(3, metric(alias=1, value=1.0))
    assert readings(lost) == []
    assert reasons(lost) == [RejectionReason.NO_BIRTH]
    assert lost.wish == "seq 3 follows 1"
    again = talk.send(4, metric(alias=1, value=1.0))
    assert (readings(again), again.wish) == ([], None), "asked for once"

    talk.bear()
    assert readings(talk.send(2, metric(alias=1, value=1.0))) == [("d", "flow", 1.0)]


def test_the_birth_of_one_device_mends_it_alone() -> None:
    talk = Conversation()
    talk.bear()
    talk.send(5, metric(alias=1, value=1.0))
    talk.take(MessageKind.DBIRTH, 6, metric("flow", 4, 1.0), device="d")
    assert readings(talk.send(7, metric(alias=4, value=2.0))) == [("d", "flow", 2.0)]
    assert readings(talk.take(MessageKind.NDATA, 8, metric(alias=9, value=0.7))) == []


def test_data_before_any_birth_are_refused_and_births_asked_for_ever_less_often() -> None:
    talk = Conversation()
    asked = []
    for second in range(0, 1_200):
        talk.now_us = NOW_US + second * 1_000_000
        taken = talk.send(second % 256, metric(alias=1, value=1.0))
        assert reasons(taken) == [RejectionReason.NO_BIRTH]
        if taken.wish is not None:
            asked.append(second)
    assert asked == [0, 10, 30, 70, 150, 310, 610, 910]


def test_births_do_not_make_asking_quicker() -> None:
    talk = Conversation()
    wishes = 0
    for second in range(0, 100):
        talk.now_us = NOW_US + second * 1_000_000
        talk.bear()
        wishes += talk.send(9, metric(alias=1, value=1.0)).wish is not None
    assert wishes == 4


def test_repeated_messages_mean_nothing_a_second_time() -> None:
    talk = Conversation()
    talk.bear()
    for i in range(2, 40):
        talk.send(i, metric(alias=1, value=1.0), digest=b"%08d" % i)
    before = talk.state
    for i in range(2, 40):
        taken = talk.send(i, metric(alias=1, value=1.0), digest=b"%08d" % i)
        assert taken == Step(before, ())


def test_an_overtaken_message_does_not_turn_the_sequence_back() -> None:
    talk = Conversation()
    talk.bear()
    talk.send(3, metric(alias=1, value=1.0))
    assert talk.send(2, metric(alias=1, value=1.0)).wish is None
    talk.take(MessageKind.DBIRTH, 4, metric("flow", 1, 1.0), device="d")
    assert readings(talk.send(5, metric(alias=1, value=2.0))) == [("d", "flow", 2.0)]


def test_what_a_birth_has_overtaken_disturbs_nothing() -> None:
    talk = Conversation()
    talk.bear()
    old = talk.send(200, metric(alias=1, value=1.0), sent_ms=NOW_MS - 5)
    assert (readings(old), reasons(old), old.wish) == ([], [RejectionReason.NO_BIRTH], None)
    assert readings(talk.send(2, metric(alias=1, value=2.0))) == [("d", "flow", 2.0)]


def test_death_of_the_node_takes_its_devices_along() -> None:
    talk = Conversation()
    talk.bear(7)
    taken = talk.take(MessageKind.NDEATH, None, bd_seq(7))
    assert taken.parts == (Presence(None, False), Presence("d", False))
    assert talk.take(MessageKind.NDEATH, None, bd_seq(7)).parts == ()
    assert talk.send(2, metric(alias=1, value=1.0)).wish is not None
    talk.bear(8)
    assert readings(talk.send(2, metric(alias=1, value=1.0))) == [("d", "flow", 1.0)]


def test_a_late_death_of_the_session_before_is_ignored() -> None:
    talk = Conversation()
    talk.bear(255)
    talk.bear(0)
    late = talk.take(MessageKind.NDEATH, None, bd_seq(255))
    assert (late.parts, late.wish) == ((), None)
    assert readings(talk.send(2, metric(alias=1, value=1.0))) == [("d", "flow", 1.0)]
    strange = talk.take(MessageKind.NDEATH, None, bd_seq(77))
    assert strange.parts == ()
    assert strange.wish is not None


def test_death_of_a_node_that_was_never_seen() -> None:
    talk = Conversation()
    assert talk.take(MessageKind.NDEATH, None, bd_seq(7)).parts == (AllLost(),)
    assert talk.take(MessageKind.NDEATH, None, bd_seq(7)).parts == ()
    assert reasons(talk.take(MessageKind.NDEATH, None)) == [RejectionReason.NOT_SPARKPLUG]


def test_death_of_a_device_has_the_time_of_the_edge_where_it_is_possible() -> None:
    for offset_us, expected in ((500, NOW_MS + 2), (-5_000_000, None), (5_000_000, None)):
        talk = Conversation()
        talk.bear()
        sent_ms = NOW_MS + 2 + (0 if offset_us == 500 else offset_us // 1000)
        taken = talk.take(MessageKind.DDEATH, 2, device="d", sent_ms=sent_ms)
        assert taken.parts == (Presence("d", False, expected),)
        refused = talk.send(3, metric(alias=1, value=1.0))
        assert reasons(refused) == [RejectionReason.NO_BIRTH]


def test_a_device_that_is_not_born_again_is_gone() -> None:
    talk = Conversation()
    talk.bear()
    talk.take(MessageKind.DBIRTH, 2, metric("flow", 2, 1.0), device="e")
    talk.take(MessageKind.NBIRTH, 0, bd_seq(1))
    talk.take(MessageKind.DBIRTH, 1, metric("flow", 2, 1.0), device="e")
    first = talk.take(MessageKind.DDATA, 2, metric(alias=2, value=1.0), device="e")
    assert first.parts[0] == Presence("d", False)
    assert readings(first) == [("e", "flow", 1.0)]
    assert [p for p in talk.take(MessageKind.NDEATH, None, bd_seq(1)).parts if p != Presence(None, False)] == [
        Presence("e", False)
    ]


def test_an_alias_that_stands_for_two_metrics_stands_for_none() -> None:
    talk = Conversation()
    talk.take(MessageKind.NBIRTH, 0, bd_seq(1))
    talk.take(MessageKind.DBIRTH, 1, metric("flow", 1, 1.0), metric("pressure", 1, 1.0), device="d")
    assert reasons(talk.send(2, metric(alias=1, value=1.0))) == [RejectionReason.NO_BIRTH]
    assert readings(talk.send(3, metric("flow", value=1.0))) == [("d", "flow", 1.0)]
    assert reasons(talk.send(4, metric("other", value=1.0))) == [RejectionReason.NO_BIRTH]


def test_name_and_alias_that_contradict_each_other() -> None:
    talk = Conversation()
    talk.take(MessageKind.NBIRTH, 0, bd_seq(1))
    talk.take(MessageKind.DBIRTH, 1, metric("flow", 1, 1.0), metric("pressure", 2, 1.0), device="d")
    assert reasons(talk.send(2, metric("flow", 2, 1.0))) == [RejectionReason.NO_BIRTH]


def test_null_transient_and_control_are_no_readings() -> None:
    talk = Conversation()
    talk.bear()
    taken = talk.send(2, metric(alias=1), metric(alias=1, value=1.0, is_transient=True))
    assert taken.parts == ()


def test_sequence_number_that_is_none() -> None:
    talk = Conversation()
    assert reasons(talk.take(MessageKind.NBIRTH, None, bd_seq(1))) == [RejectionReason.NOT_SPARKPLUG]
    assert reasons(talk.take(MessageKind.NBIRTH, 256, bd_seq(1))) == [RejectionReason.NOT_SPARKPLUG]
    assert not talk.state.is_alive


def test_births_without_a_time_are_taken_whenever_they_come() -> None:
    talk = Conversation()
    payload = Payload(None, 0, (bd_seq(1),))
    message = EdgeMessage(MessageKind.NBIRTH, None, payload, b"12345678", NOW_US)
    first = step(EMPTY, message)
    assert step(first.state, message).state.epoch == 2
    assert talk.state == EMPTY
