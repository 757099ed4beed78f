"""What an account may say and hear, and under which names there may be one."""

import pytest

from domain.broker_account import AccountKind, BrokerAccount, find_name_problem, find_rights


def device(name: str) -> BrokerAccount:
    return BrokerAccount(AccountKind.DEVICE, name)


def gateway(name: str, *, thingsboard: bool = False) -> BrokerAccount:
    return BrokerAccount(AccountKind.GATEWAY, name, thingsboard)


@pytest.mark.parametrize("name", ["SN-0001", "a", "1", "A.b_c-D:e", "x" * 64])
def test_serials_are_names(name: str) -> None:
    assert find_name_problem(device(name)) is None
    assert find_name_problem(gateway(name)) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * 65, "+", "#", "a/b", "a+", "SN-1#", "$SYS", "%u", " a", "a b", "a\n", "gateway", "v1", "admin"),
        *("forewarn-ingest", "forewarn-accounts-1", "Forewarn", "FOREWARN-INGEST"),
    ],
)
def test_what_would_mean_more_than_one_topic_or_is_ours_is_no_name(name: str) -> None:
    assert find_name_problem(device(name)) is not None
    assert find_name_problem(gateway(name)) is not None


def test_a_device_and_a_gateway_of_one_name_are_two_accounts() -> None:
    assert device("X").username != gateway("X").username
    assert not set(find_rights(device("X")).publish) & set(find_rights(gateway("X")).publish)


def test_every_right_to_publish_names_the_account_but_that_of_thingsboard_gateways() -> None:
    for account in (device("SN-1"), gateway("SN-1")):
        rights = find_rights(account)
        assert all("/SN-1" in topic for topic in rights.publish)
        assert not any("#" in topic for topic in rights.publish)
        assert not any("down" in topic for topic in rights.publish)
    more = find_rights(gateway("SN-1", thingsboard=True))
    assert set(more.publish) - set(find_rights(gateway("SN-1")).publish) == {"v1/gateway/+"}
