"""Waves take every device once, by chance and yet always alike; the hash is of all of it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.field_action_scope import ScopeQuery, Wave, assign_waves, find_scope_sha256, find_wave_problems
from domain.firmware_version import VersionRange

SERIALS = [f"SN-{n:04}" for n in range(1000)]
PLAN = (Wave(serials=("SN-0007", "SN-9999")), Wave(share=0.05), Wave(share=0.25), Wave())


def test_shares_are_of_what_is_left_and_named_devices_come_where_they_are_named() -> None:
    placed = assign_waves(SERIALS, PLAN, "FA-1")
    assert sorted(placed) == SERIALS
    counts = [sum(wave == n for wave in placed.values()) for n in (1, 2, 3, 4)]
    assert counts == [1, 50, 237, 712]
    assert placed["SN-0007"] == 1
    assert sum(placed[s] == 2 for s in SERIALS[:500]) in range(10, 41), "not by their names"


def test_equal_input_gives_equal_waves_and_another_seed_others() -> None:
    placed = assign_waves(SERIALS, PLAN, "FA-1")
    assert assign_waves(set(SERIALS), PLAN, "FA-1") == placed
    assert assign_waves(SERIALS, PLAN, "FA-2") != placed
    assert find_scope_sha256(placed) == find_scope_sha256(dict(reversed(placed.items())))
    assert find_scope_sha256(placed) != find_scope_sha256({**placed, "SN-0007": 2})
    assert find_scope_sha256(placed) != find_scope_sha256({s: w for s, w in placed.items() if s != "SN-0500"})


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ((), "waves"),
        ((Wave(share=0.5),), "waves[0].share"),
        ((Wave(share=0.0), Wave()), "waves[0].share"),
        ((Wave(serials=("A",)),), "waves[0].share"),
        ((Wave(soak_h=-1.0),), "waves[0].soak_h"),
        ((Wave(done_share=2.0),), "waves[0].done_share"),
    ],
)
def test_a_plan_that_cannot_be_names_what_is_wrong(plan: tuple[Wave, ...], field: str) -> None:
    assert set(find_wave_problems(plan)) == {field}
    with pytest.raises(ValueError, match="plan"):
        assign_waves(SERIALS, plan, "x")


def test_what_is_stored_of_a_scope_and_a_wave_is_read_back() -> None:
    query = ScopeQuery("P", ("L2", "L1"), ("S",), VersionRange("1", "", "2"), False, ("C",), ("EU",), True)
    assert ScopeQuery.from_json(query.to_json()).to_json() == query.to_json()
    assert Wave.from_json(PLAN[0].to_json()) == PLAN[0]


@given(st.sets(st.integers(0, 500), max_size=60), st.lists(st.floats(0.01, 1.0), max_size=4))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_every_device_is_in_one_wave(numbers: set[int], shares: list[float]) -> None:
    serials = {f"S{n}" for n in numbers}
    plan = (*(Wave(share=share) for share in shares), Wave())
    placed = assign_waves(serials, plan, "seed")
    assert placed.keys() == serials
    assert all(1 <= wave <= len(plan) for wave in placed.values())
