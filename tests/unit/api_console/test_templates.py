"""What all templates share: words that stand on one line, and actions that are refused for one reason."""

import re
from types import SimpleNamespace

import pytest

from api.console.field_action_views import PROGRESS, find_reached
from api.console.page import keep_whole, load_templates
from store.field_action_progress import Progress

ACTS = '{% from "parts/act.html" import act_list with context %}{{ act_list(acts) }}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("due on 2026-12-13.", 'due on <span class="nowrap">2026-12-13</span>.'),
        ("INF-74822 应于", '<span class="nowrap">INF-74822</span> 应于'),
        ("a rise of -25.00 % - see", 'a rise of <span class="nowrap">-25.00 %</span> - see'),
        ("limit 0.5500 A, 61.0%", 'limit <span class="nowrap">0.5500 A</span>, 61.0%'),
        ("4.000 cmH₂O over 24 h", '<span class="nowrap">4.000 cmH₂O</span> over <span class="nowrap">24 h</span>'),
        # A word behind a number that is no unit may go to the next line.
        ("12 thousands of them", "12 thousands of them"),
        # Longer than a line of a phone: it may break.
        ("of-four-parts-and-more-than-that", "of-four-parts-and-more-than-that"),
        ("<b>A-1</b>", '&lt;b&gt;<span class="nowrap">A-1</span>&lt;/b&gt;'),
    ],
)
def test_a_date_a_serial_and_a_number_with_its_unit_stand_on_one_line(text: str, shown: str) -> None:
    assert str(keep_whole(text)) == shown


def make_act(name: str, refusal: str = "") -> SimpleNamespace:
    return SimpleNamespace(
        name=name, label=name.title(), submit=name.title(), refusal=refusal, fields=[], explain="", action="/", to="",
        row_version=1, hidden=[], key="", open=False, second=("", ""),
    )  # fmt: skip


def test_a_reason_that_several_actions_have_is_said_once_and_describes_each_of_them() -> None:
    acts = [make_act("halt"), make_act("open", "no right"), make_act("cancel"), make_act("close", "no right")]
    acts.append(make_act("verify", "too early"))
    html = load_templates().from_string(ACTS).render(acts=acts, page=SimpleNamespace(csrf="x"), t=str)
    assert (html.count("no right"), html.count("too early")) == (1, 1)
    described = re.findall(r'aria-describedby="(why-\w+)"', html)
    assert described == ["why-open", "why-close", "why-verify"]
    assert sorted(re.findall(r'id="(why-\w+)"', html)) == sorted(described)
    assert re.findall(r">(\w+)</button>", html) == ["Halt", "Open", "Close", "Cancel", "Verify"]


def test_progress_shows_the_states_that_a_device_is_in() -> None:
    nothing = dict.fromkeys(PROGRESS, 0)
    groups = [
        Progress(key="EU", name="EU", devices=3, **nothing | {"notified": 3}),
        Progress(key="US", name="US", devices=2, **nothing | {"notified": 1, "verified": 1}),
    ]
    assert find_reached(groups) == ["notified", "verified"]
