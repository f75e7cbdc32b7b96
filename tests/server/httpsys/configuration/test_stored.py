"""Until when certificates are valid."""

from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from hostler.server.httpsys.configuration.stored import ends_of, valid_until


@cache
def key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(end, name="localhost"):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key().public_key())
    )
    builder = builder.serial_number(7).not_valid_before(datetime(1950, 1, 1, tzinfo=UTC)).not_valid_after(end)
    return builder.sign(key(), hashes.SHA256())


def encoded(made):
    return made.public_bytes(serialization.Encoding.DER)


@given(st.datetimes(datetime(1950, 1, 2), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_end_is_read(end):
    end = end.replace(microsecond=0)
    assert valid_until(encoded(certificate(end))) == end


@given(st.binary())
def test_what_is_no_certificate_is_an_error(data):
    with pytest.raises(ValueError):
        valid_until(data)


@given(st.integers(min_value=1))
def test_a_part_of_a_certificate_is_an_error_or_has_the_end(size):
    end = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    data = encoded(certificate(end))
    try:
        assert valid_until(data[: size % len(data)]) == end
    except ValueError:
        return


def test_ends_are_found_by_thumbprint():
    end = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    made = certificate(end)
    stored = {"MY": [(encoded(made), "x509_asn", True), (b"", "pkcs_7_asn", True)]}
    assert ends_of("MY", stored.__getitem__) == {made.fingerprint(hashes.SHA1()): end}


@pytest.mark.skipif("sys.platform == 'win32'")
def test_elsewhere_there_are_no_stores():
    assert ends_of("MY") == {}


def test_a_store_that_may_not_be_read_says_nothing():
    def refuse(store):
        raise PermissionError

    assert ends_of("MY", refuse) == {}
