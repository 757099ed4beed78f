"""What docker-compose's first accounts may do is what ingest does, and no more than it needs."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from domain.broker_account import AccountKind, BrokerAccount, find_rights
from domain.topic_filters import covers_filter, matches_topic
from ingest.mqtt_connection import find_filters
from service_link.device_notices import find_messages
from store.device_notices import DeviceNotice

SCRIPT = Path(__file__).parents[3] / "deploy" / "accounts.py"


def load_roles() -> dict[str, list[dict[str, Any]]]:
    spec = importlib.util.spec_from_file_location("deploy_accounts", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return {role["rolename"]: role["acls"] for role in script.find_first_accounts("a", "b", "c")["roles"]}


ROLES = load_roles()


def find_topics(role: str, kind: str) -> list[str]:
    return [acl["topic"] for acl in ROLES[role] if acl["acltype"] == kind]


@pytest.mark.parametrize("group", [None, "forewarn"])
def test_ingest_may_subscribe_to_all_that_it_subscribes_to(group: str | None) -> None:
    allowed = find_topics("forewarn-ingest", "subscribePattern")
    for wanted in find_filters(group):
        assert any(covers_filter(topic, wanted) for topic in allowed), wanted


@pytest.mark.parametrize("topic", ["spBv1.0/G/NCMD/E", "spBv1.0/G/DCMD/E/D", "spBv1.0/STATE/h"])
def test_ingest_may_say_what_it_says(topic: str) -> None:
    assert any(matches_topic(allowed, topic) for allowed in find_topics("forewarn-ingest", "publishClientSend"))


def test_ingest_hears_all_that_devices_and_gateways_may_say_and_says_none_of_it() -> None:
    heard = find_topics("forewarn-ingest", "publishClientReceive")
    said = find_topics("forewarn-ingest", "publishClientSend")
    for account in (BrokerAccount(AccountKind.DEVICE, "S"), BrokerAccount(AccountKind.GATEWAY, "G", thingsboard=True)):
        for theirs in find_rights(account).publish:
            assert any(covers_filter(topic, theirs) for topic in heard), theirs
            assert not any(covers_filter(topic, theirs) for topic in said), theirs


def test_service_link_tells_devices_and_gateways_and_hears_nothing() -> None:
    said = find_topics("forewarn-service", "publishClientSend")
    device = BrokerAccount(AccountKind.DEVICE, "S")
    gateway = BrokerAccount(AccountKind.GATEWAY, "G", thingsboard=True)
    to_device, to_gateway, _ = (message.topic for message in find_messages(DeviceNotice(1, "S", "G", "S", "H", {}, 1)))
    for account, topic in ((device, to_device), (gateway, to_gateway)):
        assert any(matches_topic(allowed, topic) for allowed in said), topic
        assert any(matches_topic(heard, topic) for heard in find_rights(account).subscribe), topic
        assert not any(covers_filter(topic, theirs) for topic in said for theirs in find_rights(account).publish)
    assert {acl["acltype"] for acl in ROLES["forewarn-service"]} == {"publishClientSend"}


def test_the_administrator_of_accounts_hears_and_says_nothing_else() -> None:
    assert {acl["topic"] for acl in ROLES["forewarn-admin"]} == {"$CONTROL/dynamic-security/#"}
