"""Connections of webhooks: to an address that was checked, and never for longer than one attempt may take.

A name is resolved once, every address that it leads to is looked at, and the connection is made to one of those: who
answers the question of the name differently a moment later gains nothing. TLS is still verified against the name.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

from httpcore2 import (
    SOCKET_OPTION,
    ConnectError,
    ConnectTimeout,
    NetworkBackend,
    NetworkStream,
    ReadError,
    ReadTimeout,
    SyncBackend,
    WriteError,
    WriteTimeout,
)

from domain.webhook_address import Address, Network, is_allowed, is_named, is_plain_allowed
from domain.webhook_proxy import Proxy
from service_link.webhook_tunnel import ProxyRefusedError, open_tunnel

Resolve = Callable[[str, int], list[str]]
Clock = Callable[[], float]


class AddressRefusedError(Exception):
    """The name leads to an address that nothing may be sent to."""


class NameUnknownError(Exception):
    """No address is known for the name."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which they are to be tried.

    Raises
    ------
    NameUnknownError
        There is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise NameUnknownError(f"{host}: {problem}") from problem
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def find_addresses(host: str, found: Iterable[str], allowed: Sequence[Network], *, is_plain: bool) -> list[Address]:
    """The addresses of a name when something may be sent to every one of them.

    Raises
    ------
    AddressRefusedError
        To one of them nothing may be sent: a name with an inner and an outer address is refused as well.
    """
    addresses = [ip_address(text.partition("%")[0]) for text in found]
    is_fit = is_plain_allowed if is_plain else is_allowed
    for address in addresses:
        if not is_fit(address, allowed):
            where = "only to this machine itself without TLS" if is_plain else "see FOREWARN_WEBHOOK_NETWORKS"
            raise AddressRefusedError(f"{host} leads to {address}: {where}")
    if not addresses:
        raise NameUnknownError(host)
    return addresses


class CheckedBackend(NetworkBackend):
    """Connects for one attempt, which is over when the clock says `deadline`.

    Through the `proxy`, if there is one, to the same checked address; networks that are allowed by name lie on this
    side of it, and are connected to directly.
    """

    def __init__(
        self,
        allowed: Sequence[Network],
        resolve: Resolve,
        clock: Clock,
        deadline: float,
        *,
        is_plain: bool,
        proxy: Proxy | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._clock = clock
        self._deadline = deadline
        self._is_plain = is_plain
        self._proxy = proxy
        self._backend = SyncBackend()
        self.address = ""  # the one that was connected to

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        """A stream to the first of the name's addresses that takes the connection.

        Raises
        ------
        AddressRefusedError, NameUnknownError
            As `find_addresses` and `resolve`.
        ConnectError, ConnectTimeout
            None of them takes it.
        ProxyRefusedError
            The proxy lets it through to none of them.
        """
        found = find_addresses(host, self._resolve(host, port), self._allowed, is_plain=self._is_plain)
        failure: ConnectError | ConnectTimeout | ProxyRefusedError | None = None
        for address in found:
            try:
                if self._proxy is None or is_named(address, self._allowed):
                    left = self._find_left(ConnectTimeout, timeout)
                    plain = self._backend.connect_tcp(str(address), port, left, local_address, socket_options)
                    stream = _TimedStream(plain, self._find_left)
                else:
                    stream = self._pass_through(self._proxy, address, port)
            except (ConnectError, ConnectTimeout, ProxyRefusedError) as problem:
                failure = problem
                continue
            self.address = str(address)
            return stream
        raise failure or ConnectError(host)

    def _pass_through(self, proxy: Proxy, address: Address, port: int) -> "_TimedStream":
        left = self._find_left(ConnectTimeout, None)
        try:
            plain = self._backend.connect_tcp(proxy.host, proxy.port, left)
        except ConnectError as problem:
            raise ProxyRefusedError(f"the proxy {proxy} cannot be reached: {problem}") from problem
        stream = _TimedStream(plain, self._find_left)
        try:
            open_tunnel(stream, proxy, address, port)
        except (ReadError, WriteError) as problem:
            stream.close()
            raise ProxyRefusedError(f"the proxy {proxy} broke off: {problem}") from problem
        except BaseException:
            stream.close()
            raise
        return stream

    def _find_left(self, error: type[Exception], timeout: float | None) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise error("the attempt took too long")
        return left if timeout is None else min(left, timeout)


class _TimedStream(NetworkStream):
    """A stream that a receiver cannot keep open by sending a byte now and then."""

    def __init__(self, stream: NetworkStream, find_left: Callable[[type[Exception], float | None], float]) -> None:
        self._stream = stream
        self._find_left = find_left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._find_left(ReadTimeout, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._find_left(WriteTimeout, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        left = self._find_left(ConnectTimeout, timeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._find_left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
