"""Steps of endpoints, and the types of events against what writes them."""

import re
from pathlib import Path

import pytest

from domain.audit_complaint import ReportNews
from domain.audit_work_order import ClockNews, OrderNews
from domain.webhook import EVENT_TYPES, EndpointState, WebhookGuard, find_state_refusal, find_unknown_types
from service_link.batch_plan import BREACH_EVENTS
from store.capa_transitions import EVENTS as CAPA_EVENTS
from store.data_quality import EVENT_TYPE as DATA_QUALITY
from store.drift import EVENT_TYPE as DRIFT
from store.work_order_transitions import EVENT_TYPES as ORDER_EVENTS

ROOT = Path(__file__).parents[3]
_S, _G = EndpointState, WebhookGuard


@pytest.mark.parametrize(
    ("state", "to", "reason", "refusal"),
    [
        (_S.ENABLED, _S.DISABLED, "moves house", None),
        (_S.ENABLED, _S.DISABLED, " ", _G.REASON_MISSING),
        (_S.ENABLED, _S.RETIRED, "", _G.REASON_MISSING),
        (_S.ENABLED, _S.RETIRED, "replaced", None),
        (_S.DISABLED, _S.ENABLED, "", None),
        (_S.DISABLED, _S.RETIRED, "replaced", None),
        (_S.ENABLED, _S.ENABLED, "", _G.SAME_STATE),
        (_S.DISABLED, _S.DISABLED, "why", _G.SAME_STATE),
        (_S.RETIRED, _S.ENABLED, "why", _G.RETIRED),
        (_S.RETIRED, _S.RETIRED, "why", _G.RETIRED),
    ],
)
def test_steps(state: EndpointState, to: EndpointState, reason: str, refusal: WebhookGuard | None) -> None:
    assert find_state_refusal(state, to, reason) is refusal


def test_every_type_that_is_written_can_be_chosen_and_no_other() -> None:
    written = {*BREACH_EVENTS.values(), *ORDER_EVENTS.values(), *CAPA_EVENTS.values(), DATA_QUALITY, DRIFT}
    written |= {news.value for kind in (OrderNews, ClockNews, ReportNews) for news in kind}
    for folder in ("store", "service_link"):
        for path in (ROOT / folder).glob("*.py"):
            text = path.read_text("utf-8")
            written |= set(re.findall(r'(?:OutboxEvent|make_order_event)\(\s*"([a-z_.]+)"', text))
    assert written == set(EVENT_TYPES)


def test_unknown_types_are_named() -> None:
    assert find_unknown_types(["breach.opened", "breach.lost", "*"]) == ["*", "breach.lost"]
    assert find_unknown_types(EVENT_TYPES) == []
