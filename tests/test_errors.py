from __future__ import annotations

import pytest

from hostler import errors
from hostler.errors import (
    ConfigError,
    Failure,
    HostlerError,
    Problem,
    ProtocolError,
    QueueError,
    Reason,
    Side,
)


def test_every_exception_is_a_hostler_error_and_drawn_in_the_tree():
    exceptions = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(exceptions) == 15
    assert all(issubclass(exception, HostlerError) for exception in exceptions)
    assert all(exception.__name__ in errors.__doc__ for exception in exceptions)


@pytest.mark.parametrize(
    "name", ["QueueNameError", "NoSuchQueueError", "QueueExistsError", "QueueAccessError"]
)
def test_queue_errors_are_one_family(name):
    assert issubclass(getattr(errors, name), QueueError)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigError", ValueError),
        ("PrefixError", ValueError),
        ("QueueNameError", ValueError),
        ("ListenError", OSError),
        ("DelegationError", RuntimeError),
    ],
)
def test_some_are_builtin_errors_too(name, builtin):
    assert issubclass(getattr(errors, name), builtin)


def test_a_configuration_error_says_everything_at_once():
    problems = [Problem("Routes.api.Match.Path", "is empty"), Problem("", "there is no cluster")]
    error = ConfigError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "Routes.api.Match.Path: is empty\nthere is no cluster"


def test_a_protocol_error_has_a_status():
    assert ProtocolError("no Host").status == 400
    assert ProtocolError("too long", 414).status == 414


def test_the_reasons_are_yarps():
    assert [reason.yarp_name for reason in Reason] == [
        "Request", "RequestTimedOut", "RequestCanceled", "RequestBodyCanceled", "RequestBodyClient",
        "RequestBodyDestination", "ResponseHeaders", "ResponseBodyCanceled", "ResponseBodyClient",
        "ResponseBodyDestination", "UpgradeRequestCanceled", "UpgradeRequestClient", "UpgradeRequestDestination",
        "UpgradeResponseCanceled", "UpgradeResponseClient", "UpgradeResponseDestination",
        "NoAvailableDestinations", "RequestCreation", "UpgradeActivityTimeout",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "side", "status"),
    [
        (Reason.REQUEST, Side.DESTINATION, 502),
        (Reason.REQUEST_TIMED_OUT, Side.DESTINATION, 504),
        (Reason.REQUEST_CANCELED, Side.CLIENT, 400),
        (Reason.NO_AVAILABLE_DESTINATIONS, Side.PROXY, 503),
        (Reason.REQUEST_CREATION, Side.PROXY, 502),
    ],
)
def test_a_failure_has_its_reasons_side_and_status(reason, side, status):
    failure = Failure(reason)
    assert (failure.side, failure.status, failure.detail, failure.cause) == (side, status, "", None)


def test_a_failure_may_know_better():
    failure = Failure(Reason.REQUEST_BODY_CLIENT, "too large", status=413, side=Side.PROXY)
    assert (failure.side, failure.status) == (Side.PROXY, 413)


def test_failures_are_equal_whatever_caused_them():
    assert Failure(Reason.REQUEST, "reset", OSError()) == Failure(Reason.REQUEST, "reset")


def test_a_failure_in_words():
    assert str(Failure(Reason.REQUEST, "connection refused")) == "Request: connection refused"
    assert (
        str(Failure(Reason.NO_AVAILABLE_DESTINATIONS))
        == "NoAvailableDestinations: no destination is available"
    )


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_has_a_sentence(reason):
    assert reason.sentence


def test_a_failure_keeps_no_traceback_of_its_cause():
    """What keeps the failure would be in a cycle with the frames that keep what keeps it."""
    try:
        try:
            raise LookupError("first")
        except LookupError as error:
            raise OSError("second") from error
    except OSError as error:
        cause = Failure(Reason.REQUEST, "x", error).cause
    assert (str(cause), str(cause.__cause__)) == ("second", "first")
    assert (cause.__traceback__, cause.__cause__.__traceback__) == (None, None)
