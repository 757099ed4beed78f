"""Accounts at Mosquitto, through its dynamic-security plugin: JSON commands over MQTT, as mosquitto_ctrl sends them.

Each account has a role of its own, because the plugin's topic filters know no placeholder for the account's name.
Source: https://mosquitto.org/documentation/dynamic-security/ and Mosquitto 2.0's plugins/dynamic-security/README.md.
"""

import secrets
import ssl
import threading
from collections.abc import Sequence
from typing import Any

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from accounts.broker import BrokerRefusedError, BrokerUnreachableError
from domain.broker_account import BrokerAccount, find_rights
from domain.broker_address import BrokerAddress
from domain.errors import ConfigurationError

REQUEST = "$CONTROL/dynamic-security/v1"
RESPONSE = "$CONTROL/dynamic-security/v1/response"
TIMEOUT_S = 10.0
# What makes a repeated command fail although all is as it should be.
HARMLESS = frozenset({"Role already exists", "Role not found", "Client not found"})


class DynamicSecurity:
    """A Mosquitto whose accounts can be changed by the account that `address` names; one connection for each change."""

    def __init__(self, address: BrokerAddress, timeout_s: float = TIMEOUT_S) -> None:
        self._address = address
        self._timeout_s = timeout_s

    def set_account(self, account: BrokerAccount, password: str | None) -> None:
        """See `AccountBroker`. One request, which Mosquitto carries out without looking at anything else meanwhile."""
        role = find_role_name(account)
        acls = find_acls(account)
        client: dict[str, Any] = {"username": account.username, "roles": [{"rolename": role}]}
        self.send(
            [
                {"command": "deleteClient", "username": account.username},
                {"command": "createRole", "rolename": role, "acls": acls},
                {"command": "modifyRole", "rolename": role, "acls": acls},
                {"command": "createClient", **client} | ({} if password is None else {"password": password}),
            ]
        )

    def remove_account(self, account: BrokerAccount) -> None:
        """See `AccountBroker`."""
        self.send(
            [
                {"command": "deleteClient", "username": account.username},
                {"command": "deleteRole", "rolename": find_role_name(account)},
            ]
        )

    def load_usernames(self) -> list[str]:
        """Every account that the broker knows, its administrator among them."""
        (answer,) = self.send([{"command": "listClients", "verbose": False, "count": -1, "offset": 0}])
        return [str(name) for name in answer["data"]["clients"]]

    def send(self, commands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The broker's answers in the order of the commands.

        Raises
        ------
        BrokerUnreachableError
            There is no connection, or no answer in time.
        BrokerRefusedError
            The account may not do this, or a command failed for another reason than HARMLESS.
        """
        exchange = _Exchange(self._address, self._timeout_s)
        answers = exchange.run(commands)
        for answer in answers:
            error = answer.get("error")
            if error is not None and error not in HARMLESS:
                raise BrokerRefusedError(f"({answer.get('command')}: {error})")
        return answers


def find_role_name(account: BrokerAccount) -> str:
    """The role of that account alone."""
    return f"forewarn:{account.username}"


def find_acls(account: BrokerAccount) -> list[dict[str, Any]]:
    """The account's rights as the plugin wants them; what is subscribed to must be received as well."""
    rights = find_rights(account)
    wanted = [("publishClientSend", topic) for topic in rights.publish]
    wanted += [(kind, topic) for topic in rights.subscribe for kind in ("subscribePattern", "publishClientReceive")]
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in wanted]


class _Exchange:
    """One request and its answer over a connection of its own."""

    def __init__(self, address: BrokerAddress, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._done = threading.Event()
        self._refusal = ""
        self._answers: list[dict[str, Any]] | None = None
        self._request = b""
        self._mark = secrets.token_hex(8)  # knows our answers from those to another administrator
        # Version 5, as only there a broker says why it refuses.
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"forewarn-accounts-{self._mark}",
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = timeout_s
        client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set_context(_make_context(address))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        self._client = client

    def run(self, commands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        marked = [{**command, "correlationData": f"{self._mark}-{i}"} for i, command in enumerate(commands)]
        self._request = orjson.dumps({"commands": marked})
        try:
            self._client.connect(self._address.host, self._address.port, keepalive=30)
        except (OSError, ValueError) as error:
            raise BrokerUnreachableError(f"({self._address.host}:{self._address.port}: {error})") from error
        self._client.loop_start()
        try:
            in_time = self._done.wait(self._timeout_s)
        finally:
            self._client.on_disconnect = None
            self._client.disconnect()
            self._client.loop_stop()
            # The callbacks tie paho's client to this object in a circle, and paho closes the sockets by which it wakes
            # its thread only when the client goes: garbage collection may come late.
            self._client.on_connect = self._client.on_subscribe = None
            self._client.on_publish = self._client.on_message = None
        if self._refusal:
            raise BrokerRefusedError(f"({self._refusal})")
        if not in_time or self._answers is None:
            raise BrokerUnreachableError("(no answer in time; is its dynamic-security plugin loaded?)")
        return self._answers

    def _refuse(self, why: str) -> None:
        self._refusal = self._refusal or why
        self._done.set()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refuse(f"the broker refuses the administrator's account: {reason}")
        else:
            client.subscribe(RESPONSE, qos=1)

    def _on_subscribe(self, client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refuse("this account may not manage accounts")
        else:
            client.publish(REQUEST, self._request, qos=1)

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refuse(f"this account may not manage accounts: {reason}")

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        try:
            answers = orjson.loads(message.payload)["responses"]
            is_ours = all(str(answer["correlationData"]).startswith(self._mark) for answer in answers)
        except (ValueError, KeyError, TypeError):
            return
        if is_ours:
            self._answers = answers
            self._done.set()

    def _on_disconnect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._refuse(f"the connection ended: {reason}")


def _make_context(address: BrokerAddress) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.cert_file is not None:
            context.load_cert_chain(address.cert_file, address.key_file)
    except OSError as error:
        raise ConfigurationError(f"A certificate of the broker's address cannot be used: {error}.") from error
    return context
