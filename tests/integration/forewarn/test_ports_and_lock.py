"""A taken port and a second start are reported in one sentence that says what to do."""

import os
import socket
from pathlib import Path

import pytest

from forewarn.installation_lock import AlreadyRunningError, InstallationLock
from forewarn.ports import PortTakenError, is_listening, require_free_port


def test_a_taken_port_is_reported_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert is_listening("127.0.0.1", port)
        with pytest.raises(PortTakenError) as caught:
            require_free_port("127.0.0.1", port, "FOREWARN_HTTP_PORT")
    message = str(caught.value)
    assert f"Port {port} on 127.0.0.1 is in use" in message
    assert "set FOREWARN_HTTP_PORT to another one" in message
    assert f"process {os.getpid()}" in message
    require_free_port("127.0.0.1", port, "FOREWARN_HTTP_PORT")
    assert not is_listening("127.0.0.1", port)


def test_one_supervisor_for_one_folder(tmp_path: Path) -> None:
    with InstallationLock(tmp_path), pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):  # noqa: SIM117
        with InstallationLock(tmp_path):
            pass
    with InstallationLock(tmp_path), InstallationLock(tmp_path / "other"):
        pass
