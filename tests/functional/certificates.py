"""A certificate for loopback, and the authority that signed it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.functional.vendors import Client

__all__ = ["Certificate", "certificate"]

PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Certificate:
    """``fullchain.pem`` and ``privkey.pem``, as Certbot calls them, and who signed the first.

    Attributes:
        folder: with these two.
        authority: the file that clients have to trust.
    """

    folder: Path
    authority: Path

    @property
    def context(self) -> ssl.SSLContext:
        """Of a client that trusts it."""
        return ssl.create_default_context(cafile=str(self.authority))

    def trusted(self, client: Client) -> Client:
        """The client, trusting it."""
        trust = {"PIP_CERT": str(self.authority), "SSL_CERT_FILE": str(self.authority)}
        return replace(client, environment={**client.environment, **trust})


def certificate(folder: Path) -> Certificate:
    """Make one in a new folder."""
    folder.mkdir()
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        _builder("An authority", "An authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName("packages.acme.example"), x509.IPAddress(ip_address("127.0.0.1"))]
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    server = (
        _builder("packages.acme.example", "An authority", key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(signer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(authority.public_bytes(PEM))
    (folder / "fullchain.pem").write_bytes(server.public_bytes(PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificate(folder, folder / "authority.pem")


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)  # noqa: TID251 - real clients have the real time
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(named[0])
        .issuer_name(named[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
