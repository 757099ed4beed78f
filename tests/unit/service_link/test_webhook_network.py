"""Where a name leads is looked at once, all of it, and the connection goes to what was looked at."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from httpcore2 import ReadTimeout

from domain.webhook_address import read_networks
from forewarn.certificates import issue_server_certificate, make_authority
from service_link.webhook_network import AddressRefusedError, CheckedBackend, NameUnknownError, find_addresses
from service_link.webhook_sender import Message, WebhookSender

HERE = read_networks("127.0.0.0/8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_one_inner_address_among_outer_ones_refuses_the_name() -> None:
    with pytest.raises(AddressRefusedError, match=r"10\.0\.0\.1"):
        find_addresses("erp.example", ["1.1.1.1", "10.0.0.1"], (), is_plain=False)
    with pytest.raises(AddressRefusedError, match="without TLS"):
        find_addresses("erp.example", ["1.1.1.1"], HERE, is_plain=True)
    with pytest.raises(NameUnknownError):
        find_addresses("erp.example", [], (), is_plain=False)
    assert [
        str(a) for a in find_addresses("x", ["1.1.1.1", "fe80::1%eth0"], read_networks("fe80::/10"), is_plain=False)
    ]


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """The first answer is checked and connected to; nobody asks for the name a second time."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def resolve(host: str, at: int) -> list[str]:
            asked.append((host, at))
            return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

        backend = CheckedBackend(HERE, resolve, lambda: 0.0, 5.0, is_plain=False)
        stream = backend.connect_tcp("rebind.example", port)
        assert backend.address == "127.0.0.1"
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
        stream.close()
        with pytest.raises(AddressRefusedError):
            backend.connect_tcp("rebind.example", port)
    assert asked == [("rebind.example", port)] * 2


def test_the_next_address_is_tried_and_time_runs_out_for_all_together() -> None:
    clock = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # Nothing listens at 127.0.0.2: the server is bound to one address.
        backend = CheckedBackend(HERE, lambda *_: ["127.0.0.2", "127.0.0.1"], lambda: clock[0], 5.0, is_plain=True)
        stream = backend.connect_tcp("two.example", port)
        assert backend.address == "127.0.0.1"
        stream.write(b"x")
        clock[0] = 5.1
        with pytest.raises(ReadTimeout):
            stream.read(10)
        stream.close()


@pytest.mark.parametrize(
    ("name", "is_trusted", "status", "error"),
    [("hook.example", True, 204, ""), ("other.example", True, None, "tls"), ("hook.example", False, None, "tls")],
)
def test_tls_is_verified_against_the_name(
    tmp_path: Path, name: str, is_trusted: bool, status: int | None, error: str
) -> None:
    authority = make_authority(tmp_path)
    issued = issue_server_certificate(tmp_path, ["hook.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    trust = ssl.create_default_context(cafile=str(authority.certificate) if is_trusted else None)
    got: list[bytes] = []

    def serve(server: socket.socket) -> None:
        plain, _ = server.accept()
        with plain:
            plain.settimeout(10)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    # All of it: who closes with something unread resets the connection, and the answer is lost.
                    while not b"".join(got).endswith(b"{}") and (part := secure.recv(10_000)):
                        got.append(part)
                    secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        sender = WebhookSender(HERE, 10.0, resolve=lambda *_: ["127.0.0.1"], tls=trust)
        result = sender.send(Message(f"https://{name}:{port}/x?token=1", "id", b"{}", [SECRET]))
        thread.join()
    assert (result.status, result.error) == (status, error), result
    assert bool(got) == (status is not None)  # nothing is told to who is not who it should be
    assert "token" not in result.detail
