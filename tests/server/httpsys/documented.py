"""What Microsoft's pages say that each function returns, takes and needs, and what hostler makes of it.

A page a function that the server calls (learn.microsoft.com/windows/win32/api/http/nf-http-NAME, in lower case), and a
row for each documented code and flag: a test that shows what comes of it, as `file.py::test`, or a sentence that says why
it cannot come or does not matter. "other" stands for the pages' "a system error code defined in WinError.h". NO_ERROR and
ERROR_IO_PENDING are every test's. `python -m tests.server.httpsys.documented` prints who calls what.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from attrs import field, frozen

import hostler
from hostler.server.httpsys.api import HttpApi

__all__ = ["PAGES", "UNCALLED", "Page", "callers", "functions", "is_test"]

_SOURCES = Path(hostler.__file__).parent


@frozen
class Page:
    """What one function's page says."""

    since: str
    """The first Windows that has it, as its page says; "unsaid" where it does not."""

    codes: dict[str, str]
    flags: dict[str, str] = field(factory=dict)


_VISTA = "Windows Vista, Windows Server 2008"
_XP = "Windows XP SP2, Windows Server 2003"
_NO_PAGE_SAYS = "unsaid"
_NEVER_NULL = (
    "Every pointer that is passed is one that cffi has just made, and reserved arguments are 0 and NULL."
)
_BEGUN = (
    "Whoever has a handle or an id has called HttpInitialize before: library.begin comes before each of them."
)
_BY_TEST = "test_queue.py::test_every_step_of_starting_may_fail"

PAGES: dict[str, Page] = {
    # -- the library
    "HttpInitialize": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "The flags are SERVER and CONFIG, both of which every Windows with version 2.0 has.",
            "ERROR_REVISION_MISMATCH": "test_queue.py::test_a_windows_with_another_api_says_so",
            "other": "test_features.py::test_a_windows_whose_http_service_does_not_run_says_what_to_do",
        },
        {
            "HTTP_INITIALIZE_SERVER": "test_features.py::test_a_server_asks_when_it_has_begun_and_ends_as_it_began",
            "HTTP_INITIALIZE_CONFIG": "test_features.py::test_a_windows_that_is_asked_too_early_can_do_nothing",
        },
    ),
    "HttpTerminate": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "Its flags are those of HttpInitialize, once for each of its calls.",
            "other": "Nothing is left to be done about it: the process gives up what it held.",
        },
        {
            "HTTP_INITIALIZE_SERVER": "test_features.py::test_a_server_asks_when_it_has_begun_and_ends_as_it_began",
            "HTTP_INITIALIZE_CONFIG": "test_features.py::test_a_server_asks_when_it_has_begun_and_ends_as_it_began",
        },
    ),
    "HttpIsFeatureSupported": Page(
        "Windows 10 2004",
        {"FALSE": "test_features.py::test_what_windows_says_counts_and_not_its_exports"},
    ),
    # -- server sessions
    "HttpCreateServerSession": Page(
        _VISTA,
        {
            "ERROR_REVISION_MISMATCH": "test_session.py::test_a_session_that_cannot_be_made",
            "ERROR_INVALID_PARAMETER": _NEVER_NULL,
        },
    ),
    "HttpCloseServerSession": Page(
        _VISTA, {"ERROR_INVALID_PARAMETER": "test_session.py::test_a_session_is_closed_once"}
    ),
    # -- URL groups
    "HttpCreateUrlGroup": Page(
        _VISTA, {"ERROR_INVALID_PARAMETER": "test_session.py::test_a_session_that_cannot_be_made"}
    ),
    "HttpAddUrlToUrlGroup": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": "test_session.py::test_a_prefix_that_windows_refuses",
            "ERROR_ACCESS_DENIED": "test_session.py::test_a_prefix_that_is_reserved_for_others_says_what_to_run",
            "ERROR_ALREADY_EXISTS": "test_session.py::test_a_prefix_that_another_process_has",
            # not on the page; Wine's tests see it on Windows
            "ERROR_SHARING_VIOLATION": "test_session.py::test_a_port_that_a_program_without_httpsys_has",
        },
    ),
    "HttpRemoveUrlFromUrlGroup": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": "test_session.py::test_a_prefix_that_windows_keeps_is_still_ours",
            "ERROR_ACCESS_DENIED": "test_session.py::test_a_prefix_that_stays_though_it_should_go_is_logged",
            "ERROR_FILE_NOT_FOUND": "test_session.py::test_a_prefix_that_windows_has_forgotten_is_given_up",
        },
        {
            "HTTP_URL_FLAG_REMOVE_ALL": "Prefixes are removed one by one, so that the log names the one that stays.",
        },
    ),
    "HttpSetUrlGroupProperty": Page(
        _VISTA,
        {"ERROR_INVALID_PARAMETER": "test_groups.py::test_a_property_that_cannot_be_set_leaves_nothing"},
    ),
    "HttpFindUrlGroupId": Page(
        _NO_PAGE_SAYS, {"other": "test_session.py::test_a_prefix_of_another_queue_is_not"}
    ),
    # -- request queues
    "HttpCreateRequestQueue": Page(
        _VISTA,
        {
            "ERROR_REVISION_MISMATCH": _BY_TEST,
            "ERROR_INVALID_PARAMETER": "test_errors.py::test_a_name_that_is_too_long_is_told_from_other_bad_values",
            "ERROR_ALREADY_EXISTS": "test_queue.py::test_to_create_one_that_exists_is_an_error",
            "ERROR_ACCESS_DENIED": "test_queue.py::test_a_queue_of_another_user_says_how_to_be_let_in",
            "ERROR_DLL_INIT_FAILED": _BEGUN,
            # not on the page; ASP.NET Core expects it of a queue to be opened
            "ERROR_FILE_NOT_FOUND": "test_queue.py::test_to_attach_to_one_that_does_not_exist_is_an_error",
        },
        {
            "HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER": "test_controller.py::test_its_handle_neither_receives_nor_answers",
            "HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING": "test_queue.py::test_a_queue_is_joined_where_there_is_one",
            "HTTP_CREATE_REQUEST_QUEUE_FLAG_DELEGATION": "test_queue.py::test_a_target_is_opened_for_delegating_where_there_is_such_a_thing",
        },
    ),
    "HttpCloseRequestQueue": Page(
        _VISTA, {"ERROR_INVALID_PARAMETER": "test_queue.py::test_a_queue_is_closed_once"}
    ),
    "HttpShutdownRequestQueue": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": "The queue is closed next, which cancels what it had: "
            "what the call returns changes nothing.",
        },
    ),
    "HttpSetRequestQueueProperty": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": "test_queue.py::test_a_property_that_cannot_be_set_leaves_no_queue",
            "ERROR_NOT_SUPPORTED": "Queues of version 1.0 come from HttpCreateHttpHandle, which is not bound.",
        },
    ),
    "HttpQueryRequestQueueProperty": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": _NEVER_NULL,
            "ERROR_MORE_DATA": "Each of the three properties is a number of 4 bytes, and so is the buffer.",
            "ERROR_NOT_SUPPORTED": "Queues of version 1.0 come from HttpCreateHttpHandle, which is not bound.",
        },
    ),
    "HttpWaitForDemandStart": Page(
        _VISTA,
        {
            "ERROR_INVALID_PARAMETER": "A controller's handle is one that HttpCreateRequestQueue gave, until it is released.",
            "ERROR_INVALID_ID_AUTHORITY": "test_controller.py::test_a_process_that_did_not_make_the_queue_is_told_nothing",
            "ERROR_INVALID_HANDLE": "test_controller.py::test_what_is_released_is_not_waited_for",
            "ERROR_ALREADY_EXISTS": "test_controller.py::test_only_one_waits_at_a_time",
        },
    ),
    # -- requests
    "HttpReceiveHttpRequest": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "test_receiver.py::test_a_receive_that_fails_is_made_again",
            "ERROR_NOACCESS": "cffi's buffers are aligned for every type, and live until the call is over.",
            "ERROR_MORE_DATA": "test_receiver.py::test_a_head_that_is_larger_than_the_buffer_is_asked_for_by_its_id",
            "ERROR_HANDLE_EOF": "test_receiver.py::test_a_request_that_is_gone_when_it_is_asked_for_by_its_id_is_passed_over",
            "other": "test_receiver.py::test_what_goes_on_failing_is_said_once",
            # not on the page; Wine's tests see it on Windows
            "ERROR_CONNECTION_INVALID": "test_receiver.py::test_a_request_that_is_gone_when_it_is_asked_for_by_its_id_is_passed_over",
            "ERROR_INVALID_HANDLE": "test_receiver.py::test_a_queue_that_is_no_more_is_said_once_and_not_asked_again",
            "ERROR_INSUFFICIENT_BUFFER": "The option receive_buffer begins at 1024 bytes, and the structure has 864.",
            "ERROR_OPERATION_ABORTED": "test_receiver.py::test_a_queue_that_is_shut_down_by_somebody_else_receives_no_more",
        },
        {
            "HTTP_RECEIVE_REQUEST_FLAG_COPY_BODY": "A request whose body was copied could not be delegated any more.",
            "HTTP_RECEIVE_REQUEST_FLAG_FLUSH_BODY": "A request whose body was copied could not be delegated any more.",
        },
    ),
    "HttpReceiveRequestEntityBody": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "test_incoming.py::test_a_read_that_fails_does_not_leave_the_client_waiting",
            "ERROR_HANDLE_EOF": "test_incoming.py::test_a_body_arrives_whole",
            "ERROR_DLL_INIT_FAILED": _BEGUN,
            "other": "test_incoming.py::test_a_read_that_fails_does_not_leave_the_client_waiting",
            # not on the page; Wine's tests see it on Windows
            "ERROR_CONNECTION_INVALID": "test_incoming.py::test_a_client_that_goes_away_in_its_body_is_a_loss",
        },
        {
            "HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_FILL_BUFFER": "What has come is handed on at once, not when it fills a buffer.",
        },
    ),
    "HttpReceiveClientCertificate": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": _NEVER_NULL,
            "ERROR_INSUFFICIENT_BUFFER": "The buffer holds at least the structure, whatever the certificate's size.",
            "ERROR_MORE_DATA": "test_native.py::test_a_client_that_is_asked_late",
            "ERROR_NOT_FOUND": "test_native.py::test_a_client_that_has_none",
            "other": "test_native.py::test_of_a_client_that_is_gone_nothing_can_be_asked",
        },
        {
            "HTTP_RECEIVE_SECURE_CHANNEL_TOKEN": "The channel's token comes with each request where the option says so."
        },
    ),
    "HttpSetRequestProperty": Page(
        _NO_PAGE_SAYS,
        {"other": "test_native.py::test_a_code_that_cannot_be_set_resets_all_the_same"},
    ),
    "HttpQueryRequestProperty": Page(
        _NO_PAGE_SAYS,
        {"other": "test_native.py::test_an_older_windows_knows_less"},
    ),
    "HttpCancelHttpRequest": Page(
        _VISTA,
        {
            "other": "The page names no code; whatever comes back, the request is given up, and the queue's end ends it."
        },
    ),
    "HttpWaitForDisconnectEx": Page(
        _NO_PAGE_SAYS,
        {
            "ERROR_CALL_NOT_IMPLEMENTED": "test_stream.py::test_where_nobody_can_be_watched_a_client_that_is_gone_is_noticed_when_sending",
            "other": "test_stream.py::test_a_connection_that_is_gone_when_it_is_to_be_watched",
        },
    ),
    # -- responses
    "HttpSendHttpResponse": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "test_sending.py::test_a_send_that_fails_is_a_loss_and_the_request_is_over",
            "other": "test_sending.py::test_a_complete_answer_that_cannot_be_sent_does_not_leave_the_client_waiting",
            # not on the page; Wine's tests see it on Windows
            "ERROR_CONNECTION_INVALID": "test_sending.py::test_a_client_that_goes_away_while_a_send_is_pending_is_one_loss",
        },
        {
            "HTTP_SEND_RESPONSE_FLAG_DISCONNECT": "model/tests/test_responses.py::"
            "test_a_body_of_unknown_length_without_disconnect_is_noticed",
            "HTTP_SEND_RESPONSE_FLAG_MORE_DATA": "test_sending.py::test_an_end_while_a_send_is_pending_leaves_with_what_is_left",
            "HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA": "test_sending.py::test_the_kernel_buffers_when_it_is_told_to",
            "HTTP_SEND_RESPONSE_FLAG_ENABLE_NAGLING": "Pieces that are written apart are to arrive apart, at once.",
            "HTTP_SEND_RESPONSE_FLAG_PROCESS_RANGES": "Microsoft discourages it; an application answers ranges itself.",
            "HTTP_SEND_RESPONSE_FLAG_OPAQUE": "test_upgrade.py::test_an_upgraded_connection_carries_raw_bytes_both_ways",
        },
    ),
    "HttpSendResponseEntityBody": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "test_sending.py::test_a_send_that_fails_is_a_loss_and_the_request_is_over",
            "ERROR_BAD_COMMAND": "test_sending.py::test_what_is_written_while_a_send_is_pending_leaves_with_the_next_call",
            "other": "test_sending.py::test_a_send_that_fails_is_a_loss_and_the_request_is_over",
        },
        {
            "9999 chunks at most": "A call takes what was written meanwhile, which the limit of unsent bytes ends long before.",
        },
    ),
    # -- delegation
    "HttpDelegateRequestEx": Page(
        _NO_PAGE_SAYS,
        {
            "other": "test_delegation.py::test_other_refusals_are_not_tried_again",
            # none of them is on the page; ASP.NET Core expects them
            "ERROR_FILE_NOT_FOUND": "test_delegation.py::test_a_prefix_that_the_queue_does_not_have_is_refused",
            "ERROR_OBJECT_NO_LONGER_EXISTS": "test_delegation.py::test_a_lost_queue_is_opened_anew_within_the_request",
            "ERROR_CONNECTION_INVALID": "test_delegation.py::test_a_client_that_is_gone_is_nobodys_fault",
            "ERROR_ALREADY_EXISTS": "test_delegation.py::test_a_queue_that_this_process_delegates_to_already_is_refused",
        },
    ),
    # -- the response cache
    "HttpFlushResponseCache": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "test_cached.py::test_what_cannot_be_flushed",
            "other": "test_cached.py::test_what_cannot_be_flushed",
        },
        {"HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE": "test_cached.py::test_flushing"},
    ),
    # -- the machine's configuration
    "HttpSetServiceConfiguration": Page(
        _XP,
        {
            "ERROR_ALREADY_EXISTS": "configuration/test_reservations.py::test_what_is_reserved_cannot_be_reserved_again",
            "ERROR_INSUFFICIENT_BUFFER": "The size is that of the structure which belongs to the kind of record.",
            "ERROR_INVALID_HANDLE": _NEVER_NULL,
            "ERROR_INVALID_PARAMETER": "../../commands/test_url.py::test_what_windows_cannot_make_sense_of",
            "ERROR_NO_SUCH_LOGON_SESSION": "../../commands/test_cert.py::test_a_certificate_that_is_not_there_comes_with_how_to_look",
            "other": "../../commands/test_url.py::test_any_other_code_is_said_as_it_is",
            # not on the page; netsh says so
            "ERROR_ACCESS_DENIED": "../../commands/test_url.py::test_who_is_no_administrator_is_told_how_to_become_one",
        },
    ),
    "HttpUpdateServiceConfiguration": Page(
        "Windows 10 1703",
        {
            "not there": "configuration/test_certificates.py::test_an_older_windows_replaces_by_removing_and_binding",
            "ERROR_FILE_NOT_FOUND": "configuration/test_certificates.py::test_what_windows_refuses",
            "ERROR_INSUFFICIENT_BUFFER": "The size is that of the structure which belongs to the kind of record.",
            "ERROR_INVALID_HANDLE": _NEVER_NULL,
            "ERROR_INVALID_PARAMETER": "configuration/test_certificates.py::test_what_windows_refuses",
            "ERROR_NO_SUCH_LOGON_SESSION": "configuration/test_certificates.py::test_what_windows_refuses",
            "other": "../../commands/test_cert.py::test_who_is_no_administrator_is_told_how_to_become_one",
        },
    ),
    "HttpDeleteServiceConfiguration": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": "The record is one that the command has made or found, of its own kind's structure.",
            "other": "configuration/test_reservations.py::test_what_is_not_reserved_cannot_be_removed",
        },
    ),
    "HttpQueryServiceConfiguration": Page(
        _XP,
        {
            "ERROR_INVALID_PARAMETER": _NEVER_NULL,
            "ERROR_INSUFFICIENT_BUFFER": "configuration/test_reservations.py::test_every_reservation_is_listed_as_it_was_made",
            "ERROR_MORE_DATA": "It comes for HttpServiceConfigTimeout only, which is not asked for.",
            "ERROR_NO_MORE_ITEMS": "configuration/test_reservations.py::test_every_reservation_is_listed_as_it_was_made",
            "other": "configuration/test_reservations.py::test_a_store_of_which_nothing_can_be_had_is_an_error",
        },
    ),
}

UNCALLED: dict[str, str] = {
    "HttpSetServerSessionProperty": "A server has one URL group in its session, and sets what it has there.",
    "HttpQueryServerSessionProperty": "What is set is what was configured: nobody else sets it.",
    "HttpCloseUrlGroup": "A group goes with its session, whose only one it is.",
    "HttpQueryUrlGroupProperty": "What is set is what was configured: nobody else sets it.",
    "HttpPrepareUrl": "Prefixes are compared and normalised by UrlPrefix, which both servers have.",
    "HttpWaitForDisconnect": "HttpWaitForDisconnectEx does the same, and is what ASP.NET Core calls.",
    "HttpDeclarePush": "Browsers have given up server push.",
    "HttpAddFragmentToCache": "What is cached are answers to URLs, not pieces of them.",
    "HttpReadFragmentFromCache": "What is cached are answers to URLs, not pieces of them.",
}
"""Why nothing calls what is bound."""


def functions() -> list[str]:
    """List the functions of httpapi.dll that are bound."""
    return [name for name in vars(HttpApi) if name.startswith("Http")]


def callers() -> dict[str, list[str]]:
    """Find which modules call each function: a program that proves and the model's own do not count."""
    found: dict[str, list[str]] = {name: [] for name in functions()}
    for path in sorted(_SOURCES.rglob("*.py")):
        module = path.relative_to(_SOURCES).as_posix()
        if module.startswith("doctor/") or path.name == "api.py":
            continue
        text = path.read_text(encoding="utf-8")
        for name, modules in found.items():
            if re.search(rf"\.{name}\b", text):
                modules.append(module)
    return found


def is_test(row: str) -> bool:
    """Whether a row names a test, and is no sentence."""
    return "::" in row and " " not in row


if __name__ == "__main__":
    for name, modules in callers().items():
        sys.stdout.write(f"{name:32} {', '.join(modules) or 'nobody: ' + UNCALLED[name]}\n")
