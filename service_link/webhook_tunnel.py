"""A way through a proxy to one address: CONNECT names the address that was checked, so the proxy resolves nothing.

What goes through it is TLS from here to the receiver, verified against the receiver's name.
"""

from httpcore2 import NetworkStream

from domain.webhook_address import Address
from domain.webhook_proxy import Proxy

MOST_HEAD = 16_384  # bytes of what the proxy answers before the way is open


class ProxyRefusedError(Exception):
    """The proxy cannot be reached, or does not let it through."""


def open_tunnel(stream: NetworkStream, proxy: Proxy, address: Address, port: int) -> None:
    """Returns when what is written to the stream goes to that address.

    Raises
    ------
    ProxyRefusedError
        The proxy says otherwise, or something that is no answer.
    """
    target = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    stream.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.read(4096)
        head += part
        if not part or len(head) > MOST_HEAD:
            raise ProxyRefusedError(f"the proxy {proxy} gave no answer that can be read")
    status = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
        raise ProxyRefusedError(f"the proxy {proxy} gave no answer that can be read")
    if not 200 <= int(status[1]) < 300:
        raise ProxyRefusedError(f"the proxy {proxy} answered {int(status[1])} to the way to {target}")
    if not head.endswith(b"\r\n\r\n"):  # the receiver speaks second: whoever spoke already is another
        raise ProxyRefusedError(f"the proxy {proxy} said more than that the way is open")
