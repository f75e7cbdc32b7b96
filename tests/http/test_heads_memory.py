"""The compiled heads as an extension module: threads, interpreters, references, memory that is not there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.http.fuzz_heads import CASES, fuzz
from tests.http.plain_heads import LIMITS, compiled, request, response

pytestmark = pytest.mark.skipif(compiled is None, reason="hostler was built without a C compiler")

GAPS = [b"%b: %d" % (name, number) for number in range(20) for name in (b"Keep-Alive", b"X")]
CALLS = [
    ("read_request", request(b"A: b", b"Content-Length: 300", first=b"POST /a?b HTTP/1.1"), *LIMITS.values()),
    ("read_request", request(*GAPS, first=b"PURGE / HTTP/1.1"), *LIMITS.values()),
    ("read_request", request(*GAPS, b"Expect: x"), *LIMITS.values()),
    ("read_request", request(*GAPS)[:-2], *LIMITS.values()),
    ("read_response", response(b"Content-Length: 300", b"Connection: close", b"A: b"), 999, 99),
    ("read_response", response(b"Date: a"), 999, 99),
    ("split_lines", b"Abc: def\r\nGhi: jkl\r\n", True),
    ("split_lines", b"Abc: def\r\nGhi: jkl\r\n", False),
    ("write_lines", [(b"Abc", b"def"), (b"Content-Length", b"300"), (b"Date", b"a")]),
    ("write_lines", [(b"Abc", b"def"), (b"Connection", b"close")]),
]  # fmt: skip
IDS = [f"{name}-{number}" for number, (name, *_) in enumerate(CALLS)]


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_nothing_is_left_behind(call):
    name, *arguments = call
    function = getattr(compiled, name)
    shared = [None, True, False, "GET", "POST", 0, -1, *arguments]

    def work():
        for _ in range(1000):
            function(*arguments)

    work()
    before = sys.getallocatedblocks(), [sys.getrefcount(one) for one in shared]
    work()
    after = sys.getallocatedblocks(), [sys.getrefcount(one) for one in shared]
    assert after[0] - before[0] < 100
    assert all(abs(now - then) < 100 for now, then in zip(after[1], before[1], strict=True))


@pytest.mark.parametrize("name", ["read_request", "read_response", "split_lines"])
def test_nothing_is_left_behind_by_a_call_that_fails(name):
    function = getattr(compiled, name)

    def work():
        for _ in range(1000):
            with contextlib.suppress(TypeError):
                function(b"GET", object(), object(), object())

    work()
    before = sys.getallocatedblocks()
    work()
    assert sys.getallocatedblocks() - before < 100


@pytest.mark.parametrize("call", CALLS, ids=IDS)
def test_memory_that_runs_out_anywhere_is_a_memory_error(call):
    testcapi = pytest.importorskip("_testcapi")
    name, *arguments = call
    function, failed = getattr(compiled, name), 0
    expected = function(*arguments)
    for nth in range(40):
        found = None
        testcapi.set_nomemory(nth, nth + 1)
        try:
            found = function(*arguments)
        except MemoryError:
            failed += 1
            continue
        finally:
            testcapi.remove_mem_hooks()
        assert found == expected
    assert failed > 0 or expected is None


def test_threads_share_nothing_but_their_inputs():
    random = Random(7)
    cases = [random.choice(CASES)(random) for _ in range(300)]
    expected = [getattr(compiled, name)(*arguments) for name, arguments in cases]

    def work(_):
        return all(
            [getattr(compiled, name)(*arguments) for name, arguments in cases] == expected for _ in range(20)
        )

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(work, range(4)))
    finally:
        sys.setswitchinterval(interval)


IN_ANOTHER_INTERPRETER = """
import sys
from hostler.http import heads
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
program = '''
from hostler.http import heads
assert heads.read_request(b"PUT /a HTTP/1.1\\\\r\\\\nHost: b\\\\r\\\\n\\\\r\\\\n", 99, 99, 9)[:3] == ("PUT", b"/a", "/a")
assert heads.write_lines([(b"a", b"b")]) == (b"a: b\\\\r\\\\n", -1, False)
'''
for _ in range(3):
    interpreter = interpreters.create()
    error = interpreters.run_string(interpreter, program)
    interpreters.destroy(interpreter)
    assert error is None, error
    assert heads.read_request(b"PUT /a HTTP/1.1\\r\\nHost: b\\r\\n\\r\\n", 99, 99, 9)[0] == "PUT"
print("done")
"""


def test_another_interpreter_reads_heads_too():
    """It has a module of its own; one with a lock of its own cannot load this, and does without."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_ANOTHER_INTERPRETER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_second_of_fuzzing():
    assert "no difference" in fuzz(seed=1, seconds=1)
