"""The situations that ASP.NET Core's functional tests of its HTTP.sys server are about, each with the test that has it here.

Those tests run on Windows: a situation is a fact about HTTP.sys, or about what a user may expect of a server on it. The
keys are names of `src/Servers/HttpSys/test/FunctionalTests/` of dotnet/aspnetcore; several of one kind are one here. A
value is `file.py::test` below tests/server/, or a sentence that says why the situation does not exist here.
"""

from __future__ import annotations

__all__ = ["SITUATIONS"]

_MODEL = "httpsys/model/tests/"
_IN_DOTNET = "It is about .NET's streams and feature collections, which have no counterpart here."

SITUATIONS: dict[str, str] = {
    # -- starting, stopping, queues
    "ServerTests.Server_ConnectExistingQueueName_Success": "httpsys/test_queue.py::test_a_queue_is_joined_where_there_is_one",
    "ServerTests.Server_SetQueueName_Success": "httpsys/test_queue.py::test_a_queue_is_made_where_there_is_none",
    "ServerTests.Server_AttachToExistingQueue_NoIServerAddresses_NoDefaultAdded":
        "httpsys/test_session.py::test_who_attached_registers_nothing",
    "ServerTests.Server_ShutdownDuringRequest_Success": "httpsys/test_stopping.py::test_requests_under_way_are_finished",
    "ServerTests.Server_DisposeWithoutStopDuringRequest_Aborts":
        "httpsys/test_stopping.py::test_handlers_that_take_too_long_are_cancelled_and_their_clients_cut_off",
    "ServerTests.Server_ShutdownDuringLongRunningRequest_TimesOut":
        "httpsys/test_stopping.py::test_answers_that_take_too_long_are_cut_off",
    "ServerTests.Server_MultipleStopAsyncCallsWaitForRequestsToDrain_Success":
        "httpsys/test_cancellation.py::test_a_second_stop_can_only_shorten_the_grace",
    "ServerTests.Server_StopAsyncCalledWithNoRequests_Success":
        "httpsys/test_stopping.py::test_a_server_that_never_listened_stops",
    "ServerTests.Server_MultipleOutstandingAsyncRequests_Success":
        "contract/test_responses.py::test_many_clients_are_answered_at_once",
    "ServerTests.Server_AppException_ClientReset": "httpsys/test_server.py::test_a_handler_that_fails_is_a_500",
    "ServerTests.Server_SetQueueLimit_Success": "httpsys/test_queue.py::test_a_queue_that_is_made_is_set_as_options_say",
    "ServerTests.Server_SetHttp503VebosityHittingThrottle_Success":
        f"{_MODEL}test_routing.py::test_a_connection_too_many_is_refused",
    "ServerTests.Server_SetConnectionLimitInfinite_Success": "httpsys/test_groups.py::test_the_limit_of_connections",
    "ServerTests.Server_UnsafePreferInlineScheduling": "httpsys/test_server.py::test_a_handler_starts_at_once",
    "Listener.ServerTests.Server_RegisterUnavailablePrefix_ThrowsActionableHttpSysException":
        "httpsys/test_session.py::test_a_prefix_that_another_process_has",
    "Listener.ServerTests.Server_HotAddPrefix_Success":
        "httpsys/test_session.py::test_prefixes_are_added_and_removed_while_it_runs",
    # -- clients that leave
    "ServerTests.Server_ClientDisconnects_CallCanceled":
        "httpsys/test_stream.py::test_a_client_that_goes_away_before_the_answer_is_noticed",
    "ServerTests.Server_Abort_CallCanceled":
        "httpsys/test_stream.py::test_an_abort_before_the_response_resets_the_connection",
    "RequestTests.RequestAborted_AfterAccessingProperty_Notified":
        "httpsys/test_stream.py::test_a_handler_that_waits_for_the_disconnect_is_woken",
    "RequestTests.RequestAbortedDurringRead_BeforeAccessingProperty_TokenAlreadyCanceled":
        "httpsys/test_incoming.py::test_a_client_that_goes_away_in_its_body_is_a_loss",
    # -- targets
    "RequestTests.Request_PathSplitting": f"{_MODEL}test_aspnetcore.py::test_where_the_path_base_ends",
    "RequestTests.Request_MultiplePrefixes": f"{_MODEL}test_routing.py::test_the_longest_path_takes_a_request_by_whole_segments",
    "RequestTests.Request_DoubleEscapingAllowed": "contract/test_requests.py::test_escapes_in_the_path_are_decoded_once",
    "RequestTests.Request_FullUriInRequestLine_ParsesPath":
        "contract/test_requests.py::test_a_target_with_an_authority_counts_more_than_host",
    "RequestTests.Request_FullUriInRequestLineWithSlashesInQuery_BlockedByHttpSys":
        f"{_MODEL}test_aspnetcore.py::test_targets_that_http_sys_answers_itself",
    "RequestTests.Request_UrlUnescaping": f"{_MODEL}test_aspnetcore.py::test_what_a_handler_sees_of_a_path",
    "RequestTests.Latin1UrlIsRejected": f"{_MODEL}test_aspnetcore.py::test_targets_that_http_sys_answers_itself",
    "RequestTests.Request_WithDoubleSlashes_LeftAlone": f"{_MODEL}test_aspnetcore.py::test_what_a_handler_sees_of_a_path",
    "RequestTests.Request_WithNavigation_Removed": f"{_MODEL}test_aspnetcore.py::test_where_the_path_base_ends",
    "RequestTests.Request_WithEscapedNavigation_Removed":
        f"{_MODEL}test_aspnetcore.py::test_what_a_handler_sees_of_a_path",
    "RequestTests.Request_ControlCharacters_400": f"{_MODEL}test_aspnetcore.py::test_control_characters_in_a_target",
    "RequestTests.Request_EscapedControlCharacters_400":
        f"{_MODEL}test_aspnetcore.py::test_control_characters_in_a_target",
    # -- request headers and bodies
    "RequestHeaderTests.RequestHeaders_ClientSendsCustomHeaders_Success":
        "httpsys/test_server.py::test_headers_come_as_they_were_sent",
    "RequestHeaderTests.RequestHeaders_ClientSendTransferEncodingHeadersWithMultipleValues":
        "httpsys/marshal/test_request.py::test_what_the_rules_refuse",
    "RequestHeaderTests.RequestHeaders_ClientSendTransferEncodingAndContentLength_ContentLengthShouldBeRemoved":
        "httpsys/marshal/test_request.py::test_what_the_rules_refuse",
    "RequestHeaderTests.RequestHeaders_ClientSendTransferEncodingWithTrailingCommaAndContentLength_ContentLengthShouldBeRemoved":
        "httpsys/marshal/test_request.py::test_what_the_rules_refuse",
    "RequestHeaderTests.CloseConnectionAfterProcessingContentLengthPlusChunkedRequest":
        f"{_MODEL}test_aspnetcore.py::test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_taken",
    "RequestHeaderTests.RequestHeaders_AllKnownHeadersKeys_Received":
        "httpsys/marshal/test_request.py::test_known_ones_have_the_names_that_are_registered",
    "RequestHeaderTests.RequestHeaders_AllUnknownHeadersKeys_Received":
        "httpsys/marshal/test_request.py::test_unknown_ones_follow_as_they_came",
    "RequestBodyTests.RequestBody_ReadAsyncPartialBody_Success": "httpsys/test_incoming.py::test_a_body_arrives_as_it_is_sent",
    "RequestBodyTests.RequestBody_PostWithImidateBody_Success": "httpsys/test_incoming.py::test_a_body_arrives_whole",
    "RequestBodyTests.RequestBody_Read0ByteAsync_Success": _IN_DOTNET,
    "RequestBodyTests.RequestBody_RemoveHeaderOnEmptyValueSet_Success": _IN_DOTNET,
    "RequestTests.Request_FieldsCanBeSet_Set": _IN_DOTNET,
    # -- responses
    "ResponseHeaderTests.ResponseHeaders_ServerSendsDefaultHeaders_Success":
        "httpsys/test_stream.py::test_what_http_sys_adds_is_not_added_twice",
    "ResponseHeaderTests.ResponseHeaders_ServerSendsMultiValueKnownHeaders_Success":
        "httpsys/test_stream.py::test_lines_of_one_name_stay_apart_and_in_order",
    "ResponseHeaderTests.ResponseHeaders_ServerSendsConnectionClose_Closed":
        "httpsys/test_stream.py::test_a_response_that_says_so_closes_the_connection",
    "ResponseHeaderTests.ResponseHeaders_HTTP10Request_Gets11Close":
        "contract/test_responses.py::test_a_response_of_unknown_length_ends_an_http_1_0_connection",
    "ResponseHeaderTests.ResponseHeaders_HTTP10RequestWithChunkedHeader_ManualChunking":
        "httpsys/test_stream.py::test_headers_that_contradict_the_framing_are_a_500",
    "ResponseHeaderTests.Headers_IgnoreNullHeaders":
        f"{_MODEL}test_aspnetcore.py::test_known_headers_without_a_value_are_not_sent_and_unknown_ones_are",
    "ResponseHeaderTests.Headers_FlushSendsHeaders_Success":
        "httpsys/test_stream.py::test_a_head_alone_does_not_wait_for_its_body",
    "ResponseBodyTests.ResponseBody_WriteNoHeaders_SetsChunked":
        "httpsys/test_stream.py::test_a_response_of_unknown_length_comes_in_chunks",
    "ResponseBodyTests.ResponseBody_WriteContentLength_PassedThrough":
        "httpsys/test_stream.py::test_a_response_of_known_length_says_so",
    "ResponseBodyTests.ResponseBody_WriteContentLengthNotEnoughWritten_Throws":
        "httpsys/test_stream.py::test_a_body_shorter_than_its_length_is_a_broken_response",
    "ResponseBodyTests.ResponseBody_WriteContentLengthTooMuchWritten_Throws":
        "httpsys/test_stream.py::test_the_handler_is_told_that_its_body_is_too_long",
    "ResponseBodyTests.ResponseBody_Write_TriggersOnStarting":
        "contract/test_responses.py::test_callbacks_add_to_the_headers",
    # -- upgrades
    "OpaqueUpgradeTests.OpaqueUpgrade_GetUpgrade_Success":
        "httpsys/test_upgrade.py::test_an_upgraded_connection_carries_raw_bytes_both_ways",
    "OpaqueUpgradeTests.OpaqueUpgrade_AfterHeadersSent_Throws": "contract/test_responses.py::test_a_second_response_is_refused",
    "OpaqueUpgradeTests.OpaqueUpgrade_InvalidMethodUpgrade_Disconnected":
        "httpsys/test_server.py::test_http_sys_wants_to_know_how_much_is_posted",
    # -- delegation
    "DelegateTests.DelegateRequestTest": "httpsys/test_delegation.py::test_the_queue_is_opened_by_the_first_request",
    "DelegateTests.DelegateAfterWriteToResponseBodyShouldThrowTest":
        "httpsys/test_delegation.py::test_a_response_that_has_begun_cannot_be_delegated",
    "DelegateTests.WriteToBodyAfterDelegateShouldNoOp":
        "httpsys/test_delegation.py::test_what_was_delegated_cannot_be_answered_or_delegated_again",
    "DelegateTests.DelegateAfterRequestBodyReadShouldThrow":
        "httpsys/test_delegation.py::test_a_body_that_was_read_cannot_be_delegated",
    "DelegateTests.DuplicateDelegationRuleTest": "httpsys/test_rule.py::test_a_queue_is_open_until_its_last_prefix_goes",
    "DelegateTests.DelegationFeaturesAreNull": "httpsys/test_features.py::test_each_windows_says_what_it_can",
    # -- HTTP/2
    "Http2Tests.EmptyResponse_200": "httpsys/test_stream.py::test_http_2_frames_bodies_itself",
    "Http2Tests.RequestWithoutData_LengthRequired_Rejected":
        f"{_MODEL}test_aspnetcore.py::test_a_post_of_http_2_without_data_or_length_is_411",
    "Http2Tests.RequestWithDataAndNoContentLength_Success":
        "httpsys/marshal/test_request.py::test_what_is_added_is_dropped_and_says_that_there_is_a_body",
    "Http2Tests.AppException_BeforeResponseHeaders_500": "httpsys/test_server.py::test_a_handler_that_fails_is_a_500",
    "Http2Tests.AppException_AfterHeaders_ResetInternalError":
        "httpsys/test_stream.py::test_an_abort_over_http_2_resets_the_stream_and_not_its_neighbours",
}  # fmt: skip
