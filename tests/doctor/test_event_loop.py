"""What is found of the event loop."""

from hostler.doctor.context import Context
from hostler.doctor.event_loop import examine_event_loop
from hostler.doctor.finding import Verdict
from tests.server.httpsys.model.machine import Machine


def test_without_http_sys_there_is_nothing_to_say_of_its_completions():
    assert [finding.what for finding in examine_event_loop(Context())] == ["event loop"]


def test_where_no_packet_comes_through_the_thread_is_a_warning_with_its_reason():
    machine = Machine()
    _, found = examine_event_loop(Context(windows=machine.process()))
    assert (found.what, found.verdict) == ("completions of HTTP.sys", Verdict.WARNING)
    assert "by a thread, because the event loop" in found.detail
    assert found.remedy
    machine.close()
