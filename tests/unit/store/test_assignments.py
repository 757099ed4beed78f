"""The book of suggestions: the one name that a page asks for is the first of the whole list."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.assignment import Work, find_freedom
from store.assignments import TechnicianFacts, make_book

DAY = date(2026, 11, 22)
MODELS, REGIONS, GROUPS = ("PUMP", "VENT"), ("EU", "US"), ("motor", "battery")


@st.composite
def technicians(draw: st.DrawFn) -> list[TechnicianFacts]:
    found = []
    for n in range(draw(st.integers(0, 8))):
        open_orders = draw(st.integers(0, 3))
        urgent_orders = draw(st.integers(0, open_orders))
        until = st.sampled_from([date(2026, 11, 21), DAY, date(2027, 1, 1)])
        found.append(
            TechnicianFacts(
                user_id=n,
                name=draw(st.sampled_from("abc")) + str(n),
                full_name=f"T {n}",
                certificates=draw(st.dictionaries(st.sampled_from(MODELS), until)),
                regions=tuple(sorted(draw(st.sets(st.sampled_from(REGIONS))))),
                open_orders=open_orders,
                urgent_orders=urgent_orders,
                freedom=find_freedom(open_orders, urgent_orders),
            )
        )
    return found


PAST = st.dictionaries(
    st.tuples(st.integers(0, 7), st.sampled_from(MODELS), st.sampled_from(GROUPS)),
    st.integers(1, 9).flatmap(lambda tried: st.tuples(st.integers(0, tried), st.just(tried))),
)
WORK = st.builds(Work, st.sampled_from((*MODELS, None)), st.sampled_from((*REGIONS, "")), st.sampled_from(GROUPS))


@settings(max_examples=50)
@given(technicians(), PAST, st.lists(WORK, max_size=4))
def test_the_best_is_the_first_of_all_and_who_is_able_comes_in_their_order(
    found: list[TechnicianFacts], past: dict[tuple[int, str, str], tuple[int, int]], works: list[Work]
) -> None:
    book = make_book(DAY, found, past)
    for work in works:
        everybody = book.find(work)
        assert book.find_best(work) == next(iter(everybody), None)
        assert [(one.name, one.full_name) for one in book.find_able(work)] == [
            (one.name, one.full_name) for one in everybody
        ]
