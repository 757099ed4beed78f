"""Ports: whether one is free, and who has it."""

import errno
import socket
from pathlib import Path

import psutil

from domain.errors import ForewarnError


class PortTakenError(ForewarnError):
    """A port that is needed is taken."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.args = (sentence,)  # says it all; the docstring before it would say it twice


def require_free_port(host: str, port: int, setting: str) -> None:
    """Returns when a server may listen there.

    Raises
    ------
    PortTakenError
        It may not; the one sentence names the port, who has it where that can be seen, and the setting to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: a closing connection is no obstacle
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                why = f"is in use{_describe_owner(port)}"
            elif problem.errno == errno.EACCES:
                why = "needs more rights than this user has"
            else:
                why = f"cannot be used ({problem.strerror})"
            raise PortTakenError(f"Port {port} on {host} {why}; set {setting} to another one.") from None


def is_listening(host: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Something accepts TCP connections there."""
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def _describe_owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    break
                process = psutil.Process(connection.pid)
                return f" by {Path(process.name()).name} (process {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""
