"""The load generators: what they see of a server, and what they make of one that fails."""

import math
import sys
from contextlib import contextmanager

import pytest
from attrs import evolve

from benchmarks.cases import CASES
from benchmarks.certificate import write_certificate
from benchmarks.load.client import client_context
from benchmarks.load.h2load import H2Load
from benchmarks.load.own import Own
from benchmarks.load.task import LoadError, latencies
from benchmarks.processes import Crew, free_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a destination stops by SIGTERM")

SAID = """\
finished in 1.00s, 569.00 req/s, 91.25KB/s
requests: 10 total, 10 started, 10 done, {good} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: {good} 2xx, 0 3xx, 0 4xx, {failed} 5xx
"""


@contextmanager
def origin(tmp_path, scheme="http"):
    with Crew(tmp_path) as crew:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.programs.origin", str(port)]
        if scheme == "https":
            command.append(write_certificate(tmp_path))
        process = crew.start("origin", command, port, scheme=scheme)
        process.wait_until_listening()
        yield process.url


def load(url, case, **changes):
    marks = []
    result = Own().run(url, evolve(CASES[case], connections=4, **changes), 0.1, lambda: marks.append(None))
    assert len(marks) == 2
    return result


@pytest.mark.parametrize(
    "case", ["small", "headers", "post", "chunked", "new", "down-64k", "up-1m", "websocket"]
)
def test_our_own_generator_is_answered_in_every_case(tmp_path, case):
    with origin(tmp_path) as url:
        result = load(url, case)
    assert result.requests > 4
    assert result.failures == 0
    assert 0 < result.median <= result.p99 <= result.slowest
    assert result.per_second > 4


@pytest.mark.parametrize("case", ["tls", "tls-1m", "tls-new", "tls-resumed"])
def test_our_own_generator_speaks_tls(tmp_path, case):
    with origin(tmp_path, "https") as url:
        result = load(url, case)
    assert result.requests > 4
    assert result.failures == 0


def test_a_session_that_is_not_resumed_is_a_failure(tmp_path, monkeypatch):
    context = client_context()
    encrypt = context.wrap_socket
    monkeypatch.setattr(context, "wrap_socket", lambda sock, session, **rest: encrypt(sock, **rest))
    monkeypatch.setattr("benchmarks.load.client.client_context", lambda: context)
    with origin(tmp_path, "https") as url:
        assert load(url, "tls-resumed").failures > 0


def test_a_count_of_requests_is_what_is_asked(tmp_path):
    with origin(tmp_path) as url:
        assert load(url, "down-1m", count=7).requests == 7


def test_what_has_begun_when_the_time_is_over_is_waited_for(tmp_path):
    with origin(tmp_path) as url:
        result = Own().run(url, evolve(CASES["down-1m"], connections=8), 0.0001, lambda: None)
    assert result.requests >= 8


def test_a_server_that_refuses_is_an_error(tmp_path):
    with pytest.raises(LoadError, match=r"0 of 4 requests were answered, \d+ failed"):
        load(f"http://127.0.0.1:{free_port()}", "small")


def test_an_answer_that_is_not_200_is_a_failure(tmp_path):
    with origin(tmp_path) as url, pytest.raises(LoadError, match="failed"):
        load(url, "small", path="/nowhere")


def h2load(tmp_path, good, failed):
    program = tmp_path / "h2load"
    rows = "".join(f"1\\t200\\t{1000 * (number + 1)}\\n" for number in range(good))
    log = tmp_path / "h2load.tsv"
    program.write_text(
        f"#!/bin/sh\nprintf '{rows}' > {log}\nprintf '{SAID.format(good=good, failed=failed)}'\n"
    )
    program.chmod(0o755)
    return H2Load(str(program), tmp_path)


def test_what_h2load_says_is_read(tmp_path):
    result = h2load(tmp_path, 9, 1).run("http://127.0.0.1:1", CASES["small"], 0.5, lambda: None)
    assert (result.requests, result.failures, result.per_second) == (9, 1, 18)
    assert (result.median, result.slowest) == (5, 9)


def test_h2load_that_says_something_else_is_an_error(tmp_path):
    program = tmp_path / "h2load"
    program.write_text("#!/bin/sh\necho nothing of the kind\n")
    program.chmod(0o755)
    with pytest.raises(LoadError, match="nothing of the kind"):
        H2Load(str(program), tmp_path).run("http://127.0.0.1:1", CASES["small"], 0.1, lambda: None)


def test_latencies_are_in_milliseconds():
    assert latencies([0.001, 0.002, 0.003])[0] == 2
    assert latencies([0.005]) == (5, 5, 5)
    assert all(math.isnan(value) for value in latencies([]))
