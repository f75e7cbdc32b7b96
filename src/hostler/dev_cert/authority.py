"""An authority for development, and the certificates that it makes.

Whoever trusts an authority has to trust whoever has its key. Hence this one can make certificates for servers alone, and
for nothing but the names that it was made for (name constraints, RFC 5280 4.2.1.10): with its key, nobody can pretend to
be a bank.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hostler.dev_cert.names import LOCAL, LOCAL_SUBTREES, is_within, subtree_of
from hostler.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.dev_cert.names import Name, Subtree

__all__ = ["AUTHORITY_DAYS", "CERTIFICATE_DAYS", "Authority", "Issued"]

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397
"""The most that browsers accept, less one."""

_ORGANIZATION: Final = "hostler development certificates"
_SKEW: Final = timedelta(hours=1)
"""How far another clock may be behind this one."""

_PEM: Final = serialization.Encoding.PEM
_GeneralName: TypeAlias = x509.DNSName | x509.IPAddress


@frozen(eq=False)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(_PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, not encrypted."""
        return self.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@frozen(eq=False)
class Authority(Issued):
    """Its certificate, its key, and what it vouches for."""

    @classmethod
    def make(cls, names: Iterable[Name], now: datetime) -> Authority:
        """Make one that vouches for this machine and for `names`, with everything below them."""
        key = ec.generate_private_key(ec.SECP256R1())
        subtrees = dict.fromkeys([*LOCAL_SUBTREES, *map(subtree_of, names)])
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
                x509.NameAttribute(NameOID.COMMON_NAME, f"hostler development CA, made {now:%Y-%m-%d %H:%M}"),
            ]
        )
        constraints = x509.NameConstraints([_general(tree) for tree in subtrees], None)
        builder = (
            _builder(subject, subject, key, now, now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(constraints, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, pem: bytes, key_pem: bytes) -> Authority | None:
        """Return the authority whose files these are; None for those that are not one of ours."""
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            key = serialization.load_pem_private_key(key_pem, None)
        except (ValueError, TypeError):
            return None
        ours = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or [name.value for name in ours] != [
            _ORGANIZATION
        ]:
            return None
        return cls(certificate, key) if certificate.public_key() == key.public_key() else None

    @property
    def subtrees(self) -> tuple[Subtree, ...]:
        """What it vouches for."""
        found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        subtrees: list[Subtree] = [name.value for name in found.permitted_subtrees or ()]
        return tuple(subtrees)

    def issue(self, names: Iterable[Name], now: datetime) -> Issued:
        """Make a certificate for this machine and for `names`; raises CertificateError for one that it does not vouch for."""
        wanted = tuple(dict.fromkeys([*LOCAL, *names]))
        beyond = [str(name) for name in wanted if not is_within(name, self.subtrees)]
        if beyond:
            raise CertificateError(
                f"the authority vouches for {', '.join(map(str, self.subtrees))}, and not for {', '.join(beyond)}; "
                "make another with --new-ca, and have it trusted again"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION)])
        until = min(now + timedelta(days=CERTIFICATE_DAYS) - _SKEW, self.until)
        builder = (
            _builder(subject, self.certificate.subject, key, now, until)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in wanted]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
            )
        )
        return Issued(builder.sign(self.key, hashes.SHA256()), key)

    def names_of(self, pem: bytes) -> tuple[Name, ...] | None:
        """Return what a certificate of this authority is for; None for one that is another's, or none at all."""
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            certificate.verify_directly_issued_by(self.certificate)
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return None
        hosts: list[Name] = [*found.get_values_for_type(x509.DNSName)]
        return (*hosts, *(ip_address(str(address)) for address in found.get_values_for_type(x509.IPAddress)))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - _SKEW).not_valid_after(until)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )  # fmt: skip


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general(name: Name | Subtree) -> _GeneralName:
    return x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name)
