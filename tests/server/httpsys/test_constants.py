"""The constants: one for each number in the headers, the words that stand for numbers, and what the API limits."""

import enum

import pytest

from hostler.server.httpsys import constants
from hostler.server.httpsys.constants import (
    REQUEST_HEADERS,
    RESPONSE_HEADER_IDS,
    RESPONSE_HEADERS,
    VERBS,
    CreateRequestQueueFlag,
    LogField,
    SendFlag,
    ServerProperty,
    Verb,
)
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.names import PATTERNS, enumerations, folded, numbers


def test_every_enumeration_says_how_it_is_called_in_c():
    assert set(enumerations()) == set(PATTERNS)


def test_no_two_of_ours_are_the_same_constant():
    names = [
        name
        for ours, name, _ in numbers()
        if not ours.startswith("RESPONSE_HEADERS") or int(ours[17:-1]) >= 20
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", enumerations())
def test_flags_are_single_bits(kind):
    members = enumerations()[kind]
    if issubclass(members, enum.Flag):
        assert all(member.value.bit_count() == 1 for member in members)


@pytest.mark.parametrize("kind", enumerations())
def test_an_enumeration_names_its_kind_in_the_headers(kind):
    first_line = (enumerations()[kind].__doc__ or "").splitlines()[0]
    before, _, _ = PATTERNS[kind].partition("{")
    assert kind == "ErrorCode" or before in first_line or folded(before) in folded(first_line)


def test_verbs_are_found_by_number():
    assert VERBS[Verb.GET] == b"GET"
    assert VERBS[Verb.PROPPATCH] == b"PROPPATCH"
    assert VERBS[Verb.UNPARSED] == VERBS[Verb.UNKNOWN] == VERBS[Verb.INVALID] == b""
    assert len(VERBS) == 20


def test_headers_are_found_by_number():
    assert len(REQUEST_HEADERS) == 41
    assert len(RESPONSE_HEADERS) == 30
    assert REQUEST_HEADERS[:20] == RESPONSE_HEADERS[:20]
    assert REQUEST_HEADERS[28] == b"Host"
    assert REQUEST_HEADERS[40] == b"User-Agent"
    assert RESPONSE_HEADERS[29] == b"WWW-Authenticate"


def test_numbers_of_a_responses_headers_are_found_by_name():
    assert RESPONSE_HEADER_IDS[b"set-cookie"] == 27
    assert all(RESPONSE_HEADERS[number].lower() == name for name, number in RESPONSE_HEADER_IDS.items())


def test_what_delegation_needs_has_its_documented_number():
    assert ServerProperty.DELEGATION == 16
    assert CreateRequestQueueFlag.OPEN_EXISTING | CreateRequestQueueFlag.DELEGATION == 9
    assert constants.DelegateRequestPropertyId.DELEGATE_URL == 1
    assert constants.FeatureId.DELEGATE_EX == 3
    assert ErrorCode.ERROR_OBJECT_NO_LONGER_EXISTS == 6807


def test_flags_of_sending_have_their_documented_numbers():
    assert {flag.name: flag.value for flag in SendFlag} == {
        "DISCONNECT": 0x1, "MORE_DATA": 0x2, "BUFFER_DATA": 0x4, "ENABLE_NAGLING": 0x8, "PROCESS_RANGES": 0x20,
        "OPAQUE": 0x40, "GOAWAY": 0x100, "AUTOMATIC_CHUNKING": 0x200,
    }  # fmt: skip


def test_a_log_can_have_thirty_two_columns():
    assert sum(LogField) == 0xFFFF_FFFF
    assert LogField.QUEUE_NAME == 0x400_0000


def test_limits_are_the_documented_ones():
    assert constants.LIMIT_INFINITE == 0xFFFF_FFFF
    assert constants.MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE == 1024
    assert constants.MIN_ALLOWED_LOG_FILE_ROLLOVER_SIZE == 1024 * 1024
    assert constants.MAX_CHUNKS == 9999
    assert constants.BYTE_RANGE_TO_EOF == 2**64 - 1
    assert constants.NULL_ID == 0
