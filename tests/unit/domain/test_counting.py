"""Numbers with their nouns: one is one, nothing and all others are many, less than one is said like one."""

import pytest

from domain.counting import fill_counts, find_forms, is_one, say_count


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 devices"),
        (1, "1 device"),
        (2, "2 devices"),
        (1_204, "1,204 devices"),
        (1.0, "1 device"),
        (1.5, "1.5 devices"),
        (0.4, "0.4 devices"),
        ("1", "1 device"),
        ("1,204", "1,204 devices"),
        ("1.0", "1.0 devices"),
        ("< 1", "< 1 device"),
        ("–", "– devices"),
    ],
)
def test_one_is_said_in_the_singular_and_nothing_else_is(count: float | str, said: str) -> None:
    assert say_count(count, "device") == said
    assert is_one(count) is said.endswith("device")


def test_a_noun_that_takes_more_than_an_s_says_so() -> None:
    assert [say_count(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
    assert [say_count(n, "byte follows", "bytes follow") for n in (1, 2)] == ["1 byte follows", "2 bytes follow"]


def test_each_number_of_a_template_has_its_own_noun() -> None:
    template = "{devices:device reports|devices report} {versions:version|versions} of {model}, {share:.0%} {{now}}"
    assert fill_counts(template, {"devices": 1, "versions": 2, "model": "A|B", "share": 0.5}) == (
        "1 device reports 2 versions of A|B, 50% {now}"
    )
    assert fill_counts("{n} of {{n}}", {"n": 3}) == "3 of {n}"
    with pytest.raises(KeyError):
        fill_counts("{devices:device|devices}", {})


def test_a_spec_without_a_choice_counts_nothing() -> None:
    assert find_forms("device|devices") == ("device", "devices")
    assert find_forms(",.1f") is find_forms("") is None
