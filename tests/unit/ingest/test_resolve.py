"""Which readings are new, late, repeated: against a model that looks at one reading after the other."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.resolve import NOTHING_YET, Resolved, resolve

readings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=30)
waters = st.lists(st.one_of(st.just(int(NOTHING_YET)), st.integers(0, 8)), min_size=4, max_size=4)


def _resolve(rows: list[tuple[int, int]], water: list[int]) -> Resolved:
    series = np.array([s for s, _ in rows], dtype=np.int32)
    observed = np.array([t for _, t in rows], dtype=np.int64)
    return resolve(series, observed, np.array(water, dtype=np.int64))


@given(readings, waters)
@settings(max_examples=500, deadline=None)
def test_it_does_what_looking_at_one_after_the_other_does(rows: list[tuple[int, int]], water: list[int]) -> None:
    found = _resolve(rows, water)
    first: dict[tuple[int, int], int] = {}
    newest = list(water)
    certain: set[int] = set()
    uncertain: set[int] = set()
    repeats: dict[int, int] = {}
    late: list[bool] = []
    for i, (series, observed) in enumerate(rows):
        late.append(observed < newest[series])
        newest[series] = max(newest[series], observed)
        if (series, observed) in first:
            repeats[i] = first[series, observed]
            continue
        first[series, observed] = i
        (certain if observed > water[series] else uncertain).add(i)
    assert set(found.certain.tolist()) == certain
    assert set(found.uncertain.tolist()) == uncertain
    assert dict(zip(found.repeats.tolist(), found.repeated.tolist(), strict=True)) == repeats
    assert found.is_late.tolist() == late


@given(readings, waters)
@settings(max_examples=200, deadline=None)
def test_what_is_copied_is_in_the_order_of_the_index(rows: list[tuple[int, int]], water: list[int]) -> None:
    found = _resolve(rows, water)

    def keys(chosen: NDArray[np.intp]) -> list[tuple[int, int]]:
        return [rows[i] for i in chosen]

    assert keys(found.certain) == sorted(keys(found.certain))
    assert keys(found.uncertain) == sorted(keys(found.uncertain))


def test_series_with_large_numbers_are_resolved_too() -> None:
    water: Any = np.full(70_001, NOTHING_YET, dtype=np.int64)
    series = np.array([70_000, 1, 70_000], dtype=np.int32)
    found = resolve(series, np.array([5, 6, 7], dtype=np.int64), water)
    assert found.certain.tolist() == [1, 0, 2]
