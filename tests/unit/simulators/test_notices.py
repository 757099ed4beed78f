"""What a simulated device makes of what it is told."""

import json

import pytest

from simulators.faults import FaultKind
from simulators.fleet_plan import Rollout
from simulators.infusion_pump import BAD_FIRMWARE
from simulators.notices import Notice, follow_notice, parse_notice
from tests.unit.simulators.test_fleet_clock import at, make_clock, run

PAYLOAD = json.dumps({"action": "FA-2026-0001", "component": "main", "version": "3.0.0", "sha256": "0" * 64}).encode()


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("forewarn/v1/INF-0001/down/firmware", PAYLOAD, Notice("INF-0001", "3.0.0")),
        ("forewarn/v1/gateway/GW-1/down/firmware/INF-0001", PAYLOAD, Notice("INF-0001", "3.0.0")),
        ("forewarn/v1/INF-0001/down/firmware", b"", Notice("INF-0001")),
        ("forewarn/v1/INF-0001/down/config", PAYLOAD, None),
        ("forewarn/v1/INF-0001/down/firmware", b"{", None),
        ("forewarn/v1/INF-0001/down/firmware", b"[]", None),
        ("forewarn/v1/INF-0001/down/firmware", b'{"version": 3}', None),
        ("forewarn/v1/INF-0001/down/firmware", b'{"version": "1", "component": "radio"}', None),
        (
            "forewarn/v1/INF-0001/down/firmware",
            b'{"version": "1", "not_before": "2026-02-02T00:00:00+00:00"}',
            Notice("INF-0001", "1", 1_769_990_400_000_000),
        ),
    ],
)
def test_a_notice_is_read_and_anything_else_left_be(topic: str, payload: bytes, expected: Notice | None) -> None:
    assert parse_notice(topic, payload) == expected


def test_what_was_planned_gives_way_and_what_has_begun_goes_on() -> None:
    planned = Rollout("INF-0001", at(100), "2.0", "1.0")
    other = Rollout("INF-0002", at(100), "2.0", "1.0")
    told = Notice("INF-0001", "3.0")
    wanted = Rollout("INF-0001", at(30), "3.0", "1.0")
    assert follow_notice([planned, other], told, "1.0", at(10), 20_000_000) == [other, wanted]
    assert follow_notice([wanted], told, "1.0", at(15), 20_000_000) == [wanted]
    assert follow_notice([wanted], told, "1.0", at(40), 20_000_000) == [wanted]
    after = Rollout("INF-0001", at(45), "4.0", "3.0")
    assert follow_notice([wanted], Notice("INF-0001", "4.0"), "1.0", at(31), 0) == [wanted, after]
    assert follow_notice([wanted, after], Notice("INF-0001"), "1.0", at(31), 0) == [wanted]
    assert follow_notice([wanted], Notice("INF-0001"), "1.0", at(15), 20_000_000) == []
    assert follow_notice([wanted], Notice("INF-0001"), "1.0", at(31), 20_000_000) == [wanted]
    assert follow_notice([], told, "3.0", at(15), 20_000_000) == []
    later = Notice("INF-0001", "3.0", at(500))
    assert follow_notice([], later, "1.0", at(10), 0) == [Rollout("INF-0001", at(500), "3.0", "1.0")]


def test_another_version_ends_what_the_bad_one_did() -> None:
    clock = make_clock(rollouts=[Rollout("INF-0001", at(1), BAD_FIRMWARE, "2.4.0")])
    run(clock, 20)
    assert [(f.kind, f.end_us) for f in clock.state.faults] == [(FaultKind.FIRMWARE_OSCILLATION, None)]
    clock.state.rollouts = follow_notice([], Notice("INF-0001", "2.4.2"), BAD_FIRMWARE, clock.state.t_us, 0)
    steps = run(clock, 20)
    assert [body["state"] for step in steps for _, body in step.firmware][-1] == "UPDATED"
    assert clock.state.firmware["INF-0001"] == "2.4.2"
    (fault,) = clock.state.faults
    assert fault.end_us is not None
