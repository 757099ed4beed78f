"""A proxy as networks have it, as a process of its own: `python -m tests.support.connect_proxy WHERE [AUTHORIZATION]`.

It takes CONNECT alone. WHERE is JSON: which address and port is really where ("1.1.1.1:443" -> a port of this machine),
as the receivers of a test are not on the internet. It says its port on the first line, then every request as JSON.
"""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.waiting import wait_until

CHUNK = 65_536


@dataclass
class RunningProxy:
    """The process: where it listens, and what it was asked for."""

    port: int
    requests: list[dict[str, Any]] = field(default_factory=list)

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """Its requests once there are so many."""
        wait_until(lambda: len(self.requests) >= count, what="a request at the proxy")
        return self.requests


@contextmanager
def running_proxy(where: Mapping[str, int], authorization: str = "") -> Iterator[RunningProxy]:
    """The proxy on a free port of this machine."""
    command = [sys.executable, "-m", "tests.support.connect_proxy", json.dumps(dict(where)), authorization]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    proxy = RunningProxy(int(process.stdout.readline()))
    lines = process.stdout

    def follow() -> None:
        for line in iter(lines.readline, ""):
            proxy.requests.append(json.loads(line))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield proxy
    finally:
        process.kill()
        process.wait()
        thread.join()
        lines.close()


def main(arguments: list[str]) -> None:
    """Listens until it is killed."""
    where, authorization = json.loads(arguments[0]), arguments[1]
    with socket.create_server(("127.0.0.1", 0)) as server:
        _say(str(server.getsockname()[1]))
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, where, authorization), daemon=True).start()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _serve(client: socket.socket, where: Mapping[str, int], authorization: str) -> None:
    with client:
        head = b""
        while b"\r\n\r\n" not in head:
            part = client.recv(CHUNK)
            if not part:
                return
            head += part
        first, *rest = head.decode("ascii").split("\r\n\r\n")[0].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        _say(json.dumps({"line": first, "headers": headers}))
        method, target, _ = first.split(" ")
        if method != "CONNECT":
            client.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        elif headers.get("proxy-authorization", "") != authorization:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!")
        elif target not in where:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        else:
            with socket.create_connection(("127.0.0.1", where[target])) as receiver:
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
                threading.Thread(target=_pass_on, args=(receiver, client), daemon=True).start()
                _pass_on(client, receiver)


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    try:
        while part := source.recv(CHUNK):
            to.sendall(part)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
