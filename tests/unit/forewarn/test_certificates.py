"""The development authority: what it issues is what a broker and a device need, and no more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from forewarn.certificates import (
    CertificateFolderError,
    issue_device_certificate,
    issue_server_certificate,
    load_expiry,
    make_authority,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def load(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_an_authority_is_made_once_and_its_key_is_its_owners(tmp_path: Path) -> None:
    made = make_authority(tmp_path / "pki", now=NOW)
    assert made.key.stat().st_mode & 0o777 == 0o600
    before = made.key.read_bytes()
    with pytest.raises(CertificateFolderError):
        make_authority(tmp_path / "pki", now=NOW)
    assert made.key.read_bytes() == before
    with pytest.raises(CertificateFolderError, match="certificates init"):
        issue_device_certificate(tmp_path / "empty", "SN-1")


def test_certificates_name_whom_they_are_for_and_what_for(tmp_path: Path) -> None:
    authority = load(make_authority(tmp_path, now=NOW).certificate)
    server = load(issue_server_certificate(tmp_path, ["broker.example.org", "192.0.2.7"], now=NOW).certificate)
    issued = issue_device_certificate(tmp_path, "gateway/GW-1", days=10, now=NOW)
    device = load(issued.certificate)
    for certificate in (server, device):
        certificate.verify_directly_issued_by(authority)
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example.org"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert device.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "gateway/GW-1"
    usage = device.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert load_expiry(issued.certificate) == NOW + timedelta(days=10)
    assert issued.key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CertificateFolderError):
        load_expiry(issued.key)
