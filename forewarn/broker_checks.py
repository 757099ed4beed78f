"""What the doctor asks about who may publish: encryption, certificates, strangers, the administration of accounts."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from domain.broker_address import BrokerAddress, parse_broker_address
from domain.counting import say_count
from domain.errors import ConfigurationError, ForewarnError
from forewarn.connections import find_admin_url, find_mqtt_url
from forewarn.finding import Finding, State
from forewarn.program_settings import PROGRAMS, load_program_settings
from forewarn.settings import Settings

TIMEOUT_S = 5.0
RENEW_WITHIN = timedelta(days=30)
URGENT_WITHIN = timedelta(days=7)


def check_security(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Every finding about a broker that accepts connections, and about the certificates of broker and console."""
    if settings.mqtt_url is None:
        yield check_gate(settings)
        if settings.broker_cert_file is not None:
            yield check_own_certificate(settings.broker_cert_file, now)
        return
    address = parse_broker_address(find_mqtt_url(settings))
    yield check_encryption(address)
    if address.tls:
        yield check_server(address.host, address.port, "Broker certificate", now, ca_file=address.ca_file)
    if address.cert_file is not None:
        yield check_own_certificate(Path(address.cert_file), now)
    yield check_strangers(address)
    yield check_administration(settings)


def check_console(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The certificate under which people and devices reach the console, where it is reached by HTTPS."""
    try:
        public_url: str = load_program_settings(PROGRAMS["api"], settings).public_url
    except ConfigurationError:
        return  # found elsewhere
    parts = urlsplit(public_url)
    if parts.scheme == "https" and parts.hostname:
        yield check_server(parts.hostname, parts.port or 443, "Console certificate", now)


def check_gate(settings: Settings) -> Finding:
    """Who may publish at the embedded broker. What it does not have is said: on this machine it asks nobody."""
    here = "on this machine whoever is on it may publish as any device"
    if settings.broker_gate is None:
        return Finding(
            "Broker accounts",
            State.NOTE,
            f"none asked for: the embedded broker listens on this machine alone; {here}",
            "For devices elsewhere set FOREWARN_BROKER_GATE, or use Mosquitto: docs/how-to/device-accounts.md.",
        )
    host = settings.broker_gate.rpartition(":")[0]
    if settings.broker_cert_file is None and not is_loopback(host):
        return Finding(
            "Broker accounts",
            State.NOTE,
            f"asked for at {settings.broker_gate}, without TLS: passwords travel in clear; {here}",
            "Set FOREWARN_BROKER_CERT_FILE and FOREWARN_BROKER_KEY_FILE.",
        )
    return Finding("Broker accounts", State.GOOD, f"asked for at {settings.broker_gate}; {here}")


def check_encryption(address: BrokerAddress) -> Finding:
    """Readings and passwords do not travel in clear beyond this machine."""
    if address.tls:
        return Finding("Broker encryption", State.GOOD, "TLS")
    if is_loopback(address.host):
        return Finding("Broker encryption", State.GOOD, "not needed: the broker is on this machine")
    return Finding(
        "Broker encryption",
        State.NOTE,
        f"readings and the password travel to {address.host} in clear",
        "Use mqtts:// unless the network between is this installation's own.",
    )


def check_server(host: str, port: int, subject: str, now: datetime, *, ca_file: str | None = None) -> Finding:
    """The server shows a certificate that holds, is for this host, is from whom we trust, and is not near its end."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        # Devices do not show theirs here: a server that asks for one does so after its own was checked.
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Finding(subject, State.BAD, f"{host}:{port}: {error.verify_message}", "Renew it, or set whom to trust.")
    except OSError as error:
        return Finding(subject, State.BAD, f"{host}:{port}: {error}", "Check the address and that it speaks TLS.")
    return judge_expiry(subject, datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC), now)


def check_own_certificate(file: Path, now: datetime) -> Finding:
    """What ingest shows to the broker is not near its end."""
    from forewarn.certificates import load_expiry

    try:
        return judge_expiry("Own certificate", load_expiry(file), now)
    except ForewarnError as error:
        return Finding("Own certificate", State.BAD, str(error), "Check FOREWARN_MQTT_CERT_FILE.")


def judge_expiry(subject: str, expires_at: datetime, now: datetime) -> Finding:
    """Good for more than a month yet, or to be renewed."""
    left = expires_at - now
    if left <= timedelta(0):
        return Finding(subject, State.BAD, f"expired on {expires_at:%Y-%m-%d}", "Renew it now: nobody connects.")
    shown = f"good until {expires_at:%Y-%m-%d} ({say_count(left.days, 'day')})"
    if left < URGENT_WITHIN:
        return Finding(subject, State.BAD, shown, "Renew it now: nobody connects afterwards.")
    if left < RENEW_WITHIN:
        return Finding(subject, State.NOTE, shown, "Renew it soon.")
    return Finding(subject, State.GOOD, shown)


def check_strangers(address: BrokerAddress) -> Finding:
    """The broker lets nobody in who names no account; on this machine alone that is a note."""
    try:
        accepted = _accepts_strangers(address)
    except OSError as error:
        return Finding("Broker strangers", State.NOTE, f"could not be tried: {error}")
    if not accepted:
        return Finding("Broker strangers", State.GOOD, "refused")
    state = State.NOTE if is_loopback(address.host) else State.BAD
    return Finding(
        "Broker strangers",
        state,
        "the broker lets in whoever names no account, and they may publish as any device",
        "Set `allow_anonymous false` and give devices accounts: docs/how-to/device-accounts.md.",
    )


def check_administration(settings: Settings) -> Finding:
    """The account that manages accounts can do so, where one is set."""
    from accounts.opening import find_account_broker

    subject = "Broker accounts"
    try:
        url = find_admin_url(settings)
        if url is None:
            return Finding(
                subject, State.NOTE, "not managed from here", "Set FOREWARN_MQTT_ADMIN_URL where they are to be."
            )
        count = len(find_account_broker(url, timeout_s=TIMEOUT_S).load_usernames())
    except ForewarnError as error:
        return Finding(subject, State.BAD, str(error), "Check FOREWARN_MQTT_ADMIN_URL.")
    return Finding(subject, State.GOOD, f"{count} at the broker, its own and ingest's among them")


def is_loopback(host: str) -> bool:
    """Only this machine reaches that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _accepts_strangers(address: BrokerAddress) -> bool:
    from simulators.puback_socket import encode_connect

    with socket.create_connection((address.host, address.port), timeout=TIMEOUT_S) as plain:
        stream: socket.socket = plain
        if address.tls:
            context = ssl.create_default_context(cafile=address.ca_file)
            if address.cert_file is not None:
                context.load_cert_chain(address.cert_file, address.key_file)
            stream = context.wrap_socket(plain, server_hostname=address.host)
        with stream:
            stranger = replace(address, username=None, password=None)
            stream.sendall(encode_connect(stranger, f"forewarn-doctor-{datetime.now(UTC).timestamp():.0f}"))
            answer = stream.recv(4)
    return len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0
