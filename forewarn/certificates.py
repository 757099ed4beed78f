"""A certificate authority for development: server and device certificates as Mosquitto wants them, in a folder.

For trying out TLS and mutual TLS. Its key lies in a file; a production authority keeps its own elsewhere, and this
offers neither revocation nor renewal by itself.
"""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from domain.errors import ForewarnError

CA_CERTIFICATE = "ca.crt"
CA_KEY = "ca.key"
CA_DAYS = 3650
SERVER_DAYS = 397  # what browsers and most clients accept of a server
DEVICE_DAYS = 730
CLOCKS_APART = timedelta(minutes=5)  # a device whose clock is a little behind must not refuse a new certificate


class CertificateFolderError(ForewarnError):
    """The folder of the certificate authority cannot be used."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, as two PEM files; only the owner may read the key."""

    certificate: Path
    key: Path


def make_authority(folder: Path, *, name: str = "Forewarn development", now: datetime | None = None) -> Issued:
    """A new authority in the folder.

    Raises
    ------
    CertificateFolderError
        There is one already: what it issued would be worth nothing.
    """
    certificate, key_file = folder / CA_CERTIFICATE, folder / CA_KEY
    if certificate.exists() or key_file.exists():
        raise CertificateFolderError(f"There is an authority in {folder} already.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        _begin(subject, subject, key.public_key(), at, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(folder, "ca", made, key)


def issue_server_certificate(
    folder: Path, hosts: list[str], *, days: int = SERVER_DAYS, now: datetime | None = None
) -> Issued:
    """A certificate for a server that is reached under these names and addresses."""
    names = [_find_general_name(host) for host in hosts]
    return _issue(folder, hosts[0], "server", names, ExtendedKeyUsageOID.SERVER_AUTH, days, now)


def issue_device_certificate(
    folder: Path, username: str, *, days: int = DEVICE_DAYS, now: datetime | None = None
) -> Issued:
    """A certificate by which the account `username` signs in: its common name."""
    return _issue(folder, username, username.replace("/", "-"), [], ExtendedKeyUsageOID.CLIENT_AUTH, days, now)


def load_expiry(file: Path) -> datetime:
    """Until when the first certificate of a PEM file holds.

    Raises
    ------
    CertificateFolderError
        It holds none.
    """
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise CertificateFolderError(f"{file} holds no certificate: {error}") from error


def _issue(
    folder: Path,
    common_name: str,
    file_name: str,
    names: list[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    days: int,
    now: datetime | None,
) -> Issued:
    authority, authority_key = _load_authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        _begin(subject, authority.subject, key.public_key(), now or datetime.now(UTC), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _write(folder, file_name, builder.sign(authority_key, hashes.SHA256()), key)


def _load_authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / CA_CERTIFICATE).read_bytes())
        key = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), password=None)
    except FileNotFoundError as error:
        raise CertificateFolderError(
            f"There is no authority in {folder}: `forewarn certificates init` first."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateFolderError(f"{CA_KEY} in {folder} is not of the kind that is made here.")
    return certificate, key


def _begin(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, at: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - CLOCKS_APART)
        .not_valid_after(at + timedelta(days=days))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _find_general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(folder: Path, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    issued = Issued(folder / f"{name}.crt", folder / f"{name}.key")
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(issued.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    issued.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return issued
