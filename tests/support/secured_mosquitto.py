"""A Mosquitto as docker-compose runs it: the shipped configuration, accounts by the plugin for them, and TLS."""

import os
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM
from urllib.parse import quote

from accounts.dynamic_security import DynamicSecurity
from domain.broker_address import BrokerAddress
from forewarn.certificates import Issued, issue_server_certificate, make_authority
from forewarn.child_process import end, spawn
from tests.support.services import find_free_port, find_program, is_listening, miss
from tests.support.waiting import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
PLUGIN = "mosquitto_dynamic_security.so"


@dataclass(frozen=True, slots=True)
class SecuredMosquitto:
    """A running broker with the shipped listeners and one more, on 127.0.0.1, which its certificate is for."""

    folder: Path
    pki: Path  # folder of the authority that the broker's and the devices' certificates are from
    server: Issued
    devices_port: int  # passwords, without TLS
    programs_port: int
    tls_port: int  # passwords over TLS
    mutual_port: int  # certificates alone
    expired_port: int  # TLS with a certificate of the broker that has expired
    secrets: dict[str, str]  # as in .env

    @property
    def admin(self) -> BrokerAddress:
        return BrokerAddress(
            "127.0.0.1",
            self.programs_port,
            username="forewarn-admin",
            password=self.secrets["FOREWARN_MQTT_ADMIN_PASSWORD"],
        )

    @property
    def admin_url(self) -> str:
        return f"mqtt://forewarn-admin:{quote(self.admin.password or '')}@127.0.0.1:{self.programs_port}"

    @property
    def ingest(self) -> BrokerAddress:
        return replace(self.admin, username="forewarn-ingest", password=self.secrets["FOREWARN_MQTT_PASSWORD"])

    @property
    def service(self) -> BrokerAddress:
        return replace(self.admin, username="forewarn-service", password=self.secrets["FOREWARN_MQTT_SERVICE_PASSWORD"])

    @property
    def service_url(self) -> str:
        return f"mqtt://forewarn-service:{quote(self.service.password or '')}@127.0.0.1:{self.programs_port}"

    @property
    def accounts(self) -> DynamicSecurity:
        return DynamicSecurity(self.admin)

    @property
    def ca_file(self) -> str:
        return str(self.pki / "ca.crt")


@contextmanager
def secured_mosquitto() -> Iterator[SecuredMosquitto]:
    """One broker for a whole module; tests use serials of their own."""
    with tempfile.TemporaryDirectory(prefix="forewarn-secured-") as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, str(DEPLOY / "accounts.py"), "--folder", name, "init"],
            check=True,
            timeout=60,
            capture_output=True,
        )
        lines = (folder / ".env").read_text().splitlines()
        secrets = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        (folder / "data").mkdir()
        (folder / "data" / "dynamic-security.json").write_bytes((folder / "secrets/dynamic-security.json").read_bytes())
        pki = folder / "pki"
        make_authority(pki)
        long_ago = datetime.now(UTC) - timedelta(days=30)
        expired = issue_server_certificate(pki, ["127.0.0.1"], days=29, now=long_ago)
        expired = Issued(expired.certificate.rename(pki / "expired.crt"), expired.key.rename(pki / "expired.key"))
        server = issue_server_certificate(pki, ["127.0.0.1"])
        ports = {name: find_free_port() for name in ("1883", "1884", "8883", "8884", "expired")}
        configuration = folder / "mosquitto.conf"
        configuration.write_text(
            make_configuration(folder, pki, ports)
            + f"listener {ports['expired']} 127.0.0.1\ncertfile {expired.certificate}\nkeyfile {expired.key}\n"
        )
        log = folder / "mosquitto.log"
        process = spawn([find_program("mosquitto", package="mosquitto"), "-c", configuration], log=log)
        try:
            wait_until(
                lambda: process.poll() is not None or all(is_listening(port) for port in ports.values()),
                what="Mosquitto to listen",
            )
            assert process.poll() is None, log.read_text()
            yield SecuredMosquitto(
                folder,
                pki,
                server,
                ports["1883"],
                ports["1884"],
                ports["8883"],
                ports["8884"],
                ports["expired"],
                secrets,
            )
        finally:
            end(process, with_signal=SIGTERM, timeout_s=60)


def make_configuration(folder: Path, pki: Path, ports: dict[str, int]) -> str:
    """The shipped file with its TLS listeners taken in; only paths, ports and user differ."""
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    text = re.sub(r"^#(?=(listener|use_|require_|cafile|certfile|keyfile) ?)", "", text, flags=re.MULTILINE)
    for port, actual in ports.items():
        text = text.replace(f"listener {port}", f"listener {actual} 127.0.0.1")
    text = text.replace("/usr/lib/mosquitto_dynamic_security.so", str(find_plugin()))
    text = text.replace("/mosquitto/secrets/devices-ca.crt", str(pki / "ca.crt"))
    text = text.replace("/mosquitto/secrets/server", str(pki / "server")).replace("/mosquitto/data", f"{folder}/data")
    return f"{text}user {pwd.getpwuid(os.geteuid()).pw_name}\n"


def find_plugin() -> Path:
    """The plugin, wherever this system puts Mosquitto's."""
    places = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"), *Path("/usr/lib").glob("*-linux-gnu")]
    found = next((place / PLUGIN for place in places if (place / PLUGIN).exists()), None)
    if found is None:
        miss(f"{PLUGIN} is not installed: it comes with Mosquitto 2")
        raise AssertionError
    return found
