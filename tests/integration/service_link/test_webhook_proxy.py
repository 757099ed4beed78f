"""Webhooks through a proxy: to the address that was checked, by TLS to the name; and nowhere that nothing may go."""

import re
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.webhook_address import read_networks
from domain.webhook_proxy import Proxy, read_proxy
from forewarn.certificates import issue_server_certificate, make_authority
from service_link.webhook_sender import Message, WebhookSender
from tests.support.connect_proxy import running_proxy

PUBLIC, OTHER = "1.1.1.1", "9.9.9.9"
HERE = read_networks("127.0.0.0/8")
NAME = "hook.example"
MESSAGE = Message(f"https://{NAME}:8443/x?token=1", "id", b"{}", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])


class TlsReceiver:
    """A receiver with a certificate for one name; `names` are those that it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.trust = ssl.create_default_context(cafile=str(make_authority(folder).certificate))
        issued = issue_server_certificate(folder, [NAME])
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(issued.certificate, issued.key)
        self._context.sni_callback = lambda _socket, name, _context: self.names.append(name or "")
        self.names: list[str] = []
        self.requests: list[bytes] = []
        self.port = 0

    @contextmanager
    def listen(self) -> Iterator["TlsReceiver"]:
        """Answers 204 to everybody until the end."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()
            yield self

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                plain, _ = server.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(10)
                try:
                    with self._context.wrap_socket(plain, server_side=True) as secure:
                        got = b""
                        while not got.endswith(b"{}") and (part := secure.recv(10_000)):
                            got += part
                        self.requests.append(got)
                        secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                except OSError:
                    pass


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[TlsReceiver]:
    with TlsReceiver(tmp_path).listen() as listening:
        yield listening


def test_the_way_leads_to_the_checked_address_and_tls_to_the_name(receiver: TlsReceiver) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return [OTHER, PUBLIC]

    said = f"Basic {b64encode(b'forewarn:p:w').decode()}"
    with running_proxy({f"{PUBLIC}:8443": receiver.port}, said) as running:
        proxy = read_proxy(f"http://forewarn:p%3Aw@127.0.0.1:{running.port}")
        sender = WebhookSender((), 10.0, proxy=proxy, resolve=resolve, tls=receiver.trust)
        result = sender.send(MESSAGE)
        requests = running.wait_for(2)
    assert (result.status, result.error, result.address) == (204, "", PUBLIC), result
    # The one that the proxy cannot reach is passed over. It is never told a name, so it resolves none.
    assert [r["line"] for r in requests] == [f"CONNECT {a}:8443 HTTP/1.1" for a in (OTHER, PUBLIC)]
    assert NAME not in str(requests)
    assert asked == [NAME]
    assert receiver.names == [NAME]
    assert b"\r\nhost: hook.example:8443\r\n" in receiver.requests[0].lower()
    assert b"authorization" not in receiver.requests[0].lower()  # what the proxy is told is for the proxy alone


def test_where_nothing_may_be_sent_the_proxy_is_not_asked(receiver: TlsReceiver) -> None:
    with running_proxy({"10.0.0.1:8443": receiver.port}) as running:
        proxy = Proxy("127.0.0.1", running.port)
        for addresses in (["10.0.0.1"], [PUBLIC, "169.254.169.254"], ["::1"]):
            sender = WebhookSender((), 10.0, proxy=proxy, resolve=lambda *_, a=addresses: a, tls=receiver.trust)
            assert sender.send(MESSAGE).error == "address_refused"
        unknown = WebhookSender((), 10.0, proxy=proxy, resolve=lambda *_: [], tls=receiver.trust)
        assert unknown.send(MESSAGE).error == "no_address"
        # Inner networks that are allowed by name lie on this side of the proxy.
        url = f"https://{NAME}:{receiver.port}/x"
        inner = WebhookSender(HERE, 10.0, proxy=proxy, resolve=lambda *_: ["127.0.0.1"], tls=receiver.trust)
        assert inner.send(Message(url, "id", b"{}", MESSAGE.secrets)).status == 204
        assert running.requests == []


def test_what_the_proxy_does_not_let_through_says_so(receiver: TlsReceiver) -> None:
    with running_proxy({f"{PUBLIC}:8443": receiver.port}, "Basic eA==") as running:
        for proxy, why in (
            (Proxy("127.0.0.1", running.port), "answered 407"),
            (Proxy("127.0.0.1", running.port, "Basic geheim"), "answered 407"),
            (Proxy("127.0.0.1", 1), "cannot be reached"),
            (Proxy("127.0.0.1", receiver.port), "gave no answer|broke off"),  # no proxy at all
        ):
            sender = WebhookSender((), 10.0, proxy=proxy, resolve=lambda *_: [PUBLIC], tls=receiver.trust)
            result = sender.send(MESSAGE)
            assert (result.error, result.status, result.address) == ("proxy", None, "")
            assert re.search(why, result.detail)
            assert "geheim" not in result.detail
    assert receiver.requests == []


def test_a_certificate_of_another_name_is_refused_through_the_proxy_as_well(receiver: TlsReceiver) -> None:
    with running_proxy({f"{PUBLIC}:8443": receiver.port}) as running:
        proxy = Proxy("127.0.0.1", running.port)
        sender = WebhookSender((), 10.0, proxy=proxy, resolve=lambda *_: [PUBLIC], tls=receiver.trust)
        result = sender.send(Message("https://other.example:8443/", "id", b"{}", MESSAGE.secrets))
    assert result.error == "tls"
    assert receiver.requests == []


def test_a_proxy_of_the_environment_is_not_followed(receiver: TlsReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_proxy({f"{PUBLIC}:8443": receiver.port}) as running:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{running.port}")
        url = f"https://{NAME}:{receiver.port}/x"
        sender = WebhookSender(HERE, 10.0, resolve=lambda *_: ["127.0.0.1"], tls=receiver.trust)
        assert sender.send(Message(url, "id", b"{}", MESSAGE.secrets)).status == 204
        assert running.requests == []
