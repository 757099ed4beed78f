"""The connection over which notices to devices are published: retained, QoS 1, each acknowledged or refused by name.

MQTT 5 where the broker knows it, as only there a refusal is said; 3.1.1 otherwise.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from domain.broker_address import BrokerAddress

log = logging.getLogger("forewarn.service_link")
KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
ENDED = "the connection ended"


class BrokerAwayError(Exception):
    """The broker cannot be reached, refused the account, or went away."""

    def __init__(self, why: str, *, other_version: bool = False) -> None:
        super().__init__(why)
        self.other_version = other_version  # it hung up before it answered: it may not know this version of MQTT


@dataclass(frozen=True, slots=True)
class RetainedMessage:
    """A message that the broker keeps for its topic; an empty payload makes it forget the one before."""

    topic: str
    payload: bytes


class NoticeBroker:
    """One connection, made anew by its owner once it is lost.

    Raises
    ------
    BrokerAwayError
        There is no connection within ten seconds.
    """

    def __init__(self, address: BrokerAddress, client_id: str, *, is_mqtt5: bool = True) -> None:
        self._changed = threading.Condition()
        self._answers: dict[int, str] = {}
        self._problem = ""
        self._is_connected = False
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        self._client = client
        try:
            if address.tls:
                client.tls_set(address.ca_file, address.cert_file, address.key_file)
            client.connect(address.host, address.port, KEEP_ALIVE_S)
        except (OSError, ValueError) as error:
            raise BrokerAwayError(f"{address.host}:{address.port}: {error}") from error
        client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_connected or self._problem, CONNECT_TIMEOUT_S)
        if not self._is_connected:
            self.close()
            other = "protocol version" in self._problem.lower() or self._problem.startswith(ENDED)
            why = f"{address.host}:{address.port}: {self._problem or 'no answer in time'}"
            raise BrokerAwayError(why, other_version=other)

    @property
    def is_connected(self) -> bool:
        return self._is_connected and not self._problem

    def publish(self, messages: Sequence[RetainedMessage], timeout_s: float) -> Mapping[int, str]:
        """What came of each message by its place: "" acknowledged, else why not; one without an answer is left out."""
        numbers: dict[int, int] = {}
        results: dict[int, str] = {}
        for place, message in enumerate(messages):
            info = self._client.publish(message.topic, message.payload, qos=1, retain=True)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                numbers[info.mid] = place
        deadline = monotonic() + timeout_s
        with self._changed:
            while numbers and not self._problem and (left_s := deadline - monotonic()) > 0:
                for mid in [mid for mid in numbers if mid in self._answers]:
                    results[numbers.pop(mid)] = self._answers.pop(mid)
                if numbers:
                    self._changed.wait(left_s)
            for mid in [mid for mid in numbers if mid in self._answers]:
                results[numbers.pop(mid)] = self._answers.pop(mid)
        return results

    def close(self) -> None:
        """Says goodbye if it still can."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()
        # The callbacks tie paho's client to this object in a circle, and paho closes the sockets by which it wakes its
        # thread only when the client goes: garbage collection may come late.
        self._client.on_connect = self._client.on_publish = None
        self._is_connected = False

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            if reason.is_failure:
                self._problem = f"the broker refuses the connection: {reason}"
            else:
                self._is_connected = True
            self._changed.notify_all()

    def _on_disconnect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            self._problem = self._problem or f"{ENDED}: {reason}"
            self._changed.notify_all()

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._changed:
            self._answers[mid] = f"{reason}" if reason.is_failure else ""
            self._changed.notify_all()
