"""More trouble never lowers a customer's place, whatever else there is; every number stands on the page."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customer_risk import CUSTOMER_RULES, find_customer_risk
from domain.device_risk import DEVICE_RULES, find_device_risk
from domain.risk import MOST_REASONS, NEEDED, Found, RiskRule, Trouble, find_hidden_troubles, find_points, keep_shown
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from tests.support.ranks import rank_customers

PAGE = (Path(__file__).parents[3] / "docs/reference/service/customer-view.md").read_text("utf-8")
KINDS = st.sampled_from(list(CUSTOMER_RULES))
TROUBLES = st.dictionaries(KINDS, st.integers(1, 500).map(lambda n: Found(n, "X-1")), max_size=12)
CUSTOMERS = st.dictionaries(st.sampled_from([f"C-{n}" for n in range(8)]), TROUBLES, min_size=1, max_size=8)


def test_points_are_added_up_and_the_worst_is_named_first() -> None:
    risk = find_customer_risk(
        {
            Trouble.DEVICE_SILENT: Found(3, "P-2"),
            Trouble.MAJOR_BREACH: Found(2, "P-1"),
            Trouble.CONTRACT_ENDING: Found(1, "K-1"),
        }
    )
    assert risk.score == (8 + 2 * 2) + (30 + 5) + 20
    assert [(r.code, r.points) for r in risk.reasons] == [
        (Trouble.MAJOR_BREACH, 35),
        (Trouble.CONTRACT_ENDING, 20),
        (Trouble.DEVICE_SILENT, 12),
    ]
    assert risk.reasons[0].say("en") == "Devices with a major or critical breach: 2, first P-1."
    assert risk.reasons[0].say("zh") == "存在重大或严重异常的设备：2 台，首台 P-1。"


def test_reasons_of_as_many_points_stand_in_the_order_of_the_table() -> None:
    both = {Trouble.MAJOR_BREACH: Found(1, "P-1"), Trouble.SAFETY_CRITICAL_FAULT: Found(1, "P-1")}
    assert [r.code for r in find_customer_risk(both).reasons] == [Trouble.SAFETY_CRITICAL_FAULT, Trouble.MAJOR_BREACH]


def test_nothing_known_to_be_wrong_and_nothing_unknown_gives_nothing() -> None:
    assert (find_customer_risk({}).score, find_customer_risk({}).reasons, find_customer_risk({}).worst) == (0, (), 0)


def test_five_reasons_are_named_and_all_count() -> None:
    risk = find_customer_risk({kind: Found(1) for kind in CUSTOMER_RULES})
    assert len(risk.leading) == MOST_REASONS
    assert risk.score == sum(rule.first for rule in CUSTOMER_RULES.values())


@pytest.mark.parametrize(("first", "more", "most"), [(0, 0, 5), (5, 6, 20), (5, 1, 4), (5, -1, 5)])
def test_a_rule_by_which_more_could_give_less_cannot_be_written(first: int, more: int, most: int) -> None:
    with pytest.raises(ValueError, match="points"):
        RiskRule(first, more, most, "", "")


@pytest.mark.parametrize("rule", [*CUSTOMER_RULES.values(), *DEVICE_RULES.values()])
def test_every_rule_is_said_in_both_languages_with_what_it_counts(rule: RiskRule) -> None:
    english, chinese = (rule.say({"count": 7, "example": "P-1"}, language) for language in ("en", "zh"))
    assert "?" not in english + chinese
    assert english.endswith(".")
    assert chinese.endswith("。")
    assert ("7" in english) == ("7" in chinese)


@given(found=TROUBLES, kind=KINDS, more=st.integers(1, 50))
def test_more_of_any_trouble_never_gives_fewer_points(found: dict[Trouble, Found], kind: Trouble, more: int) -> None:
    had = found.get(kind, Found(0)).count
    worse = {**found, kind: Found(had + more, "X-1")}
    before, after = find_points(CUSTOMER_RULES, found), find_points(CUSTOMER_RULES, worse)
    assert after[0] >= before[0]
    assert after[1] >= before[1]
    assert after[0] > before[0] or had > 0  # a new kind of trouble always counts
    risk = find_customer_risk(worse)
    assert (risk.score, risk.worst) == after


@given(customers=CUSTOMERS, kind=KINDS, more=st.integers(1, 50), data=st.data())
def test_more_trouble_never_moves_a_customer_down(
    customers: dict[str, dict[Trouble, Found]], kind: Trouble, more: int, data: st.DataObject
) -> None:
    code = data.draw(st.sampled_from(sorted(customers)))
    had = customers[code].get(kind, Found(0)).count
    worse = {**customers, code: {**customers[code], kind: Found(had + more, "X-1")}}
    before = [c for _, _, c in rank_customers(customers.items())]
    after = [c for _, _, c in rank_customers(worse.items())]
    assert after.index(code) <= before.index(code)


@given(customers=CUSTOMERS, data=st.data())
def test_the_order_does_not_depend_on_the_order_of_the_question(
    customers: dict[str, dict[Trouble, Found]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(list(customers.items())))
    assert rank_customers(shuffled) == rank_customers(customers.items())


def test_equal_customers_stand_by_their_worst_reason_then_by_code() -> None:
    one = {Trouble.CALIBRATION_OVERDUE: Found(1)}  # 25
    many = {Trouble.WAITS_FOR_CUSTOMER: Found(1), Trouble.CAPA_OPEN: Found(1)}  # 15 + 10
    ranked = rank_customers([("C-1", many), ("C-3", one), ("C-2", one), ("C-0", {})])
    assert [code for _, _, code in ranked] == ["C-2", "C-3", "C-1", "C-0"]
    assert [code for _, _, code in rank_customers([("C-1", many), ("C-0", {})], least=1)] == ["C-1"]


def test_what_is_not_known_counts_more_than_what_is_known_to_be_well() -> None:
    for kind in (Trouble.DATA_UNKNOWN, Trouble.CALIBRATION_UNKNOWN, Trouble.CONTRACT_MISSING):
        assert find_customer_risk({kind: Found(1)}).score > 0
        assert find_device_risk({kind: Found(1)}).score > 0


def test_who_may_not_read_records_gets_no_points_of_them() -> None:
    hidden = find_hidden_troubles(ROLE_PERMISSIONS[Role.DISPATCHER])
    assert hidden == {Trouble.CAPA_OPEN}
    assert find_hidden_troubles(ROLE_PERMISSIONS[Role.CUSTOMER]) == set(NEEDED)
    assert find_hidden_troubles(set(Permission)) == set()
    found = {Trouble.CAPA_OPEN: Found(1), Trouble.OPEN_BREACH: Found(1)}
    assert keep_shown(found, hidden) == {Trouble.OPEN_BREACH: Found(1)}


def test_every_kind_has_its_points_and_the_page_says_them() -> None:
    assert set(CUSTOMER_RULES) == set(Trouble)
    assert set(Trouble) - set(DEVICE_RULES) == {Trouble.CONTRACT_ENDING}

    def say(rule: RiskRule | None) -> str:
        return "" if rule is None else f"{rule.first} / {rule.more} / {rule.most}"

    for kind, rule in CUSTOMER_RULES.items():
        assert f"| `{kind}` | {say(rule)} | {say(DEVICE_RULES.get(kind))} |" in PAGE, kind
