"""Fuzzes the compiled heads: nearly plain heads, for as long as one likes, read by both twins.

    python -m tests.http.fuzz_heads --seconds 600 --seed 7

Any difference ends it, with the seed and the input. `nox -s sanitize` runs it under AddressSanitizer, where the byte behind
each input is out of bounds too: CPython has a NUL there, which a loop that runs too far would find.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import time
from random import Random
from typing import TYPE_CHECKING, Any

from hostler.http import plain
from tests.http.plain_heads import (
    any_block,
    any_limits,
    any_pairs,
    any_request,
    any_response,
    compiled,
    mutated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEFORE_BYTES = bytes.__basicsize__ - 1
"""Where a bytes object has its bytes, of which the NUL behind them is one."""

Case = tuple[str, tuple[Any, ...]]


def fresh(data: bytes) -> bytes:
    """Copy bytes to an object of their own size, in memory of its own; those of 0 and 1 bytes are shared."""
    return bytes(bytearray(data))


def request_case(random: Random) -> Case:
    data = mutated(random, any_request(random))
    return "read_request", (fresh(data), *any_limits(random, data))


def response_case(random: Random) -> Case:
    data = mutated(random, any_response(random))
    max_head, _, max_headers = any_limits(random, data)
    return "read_response", (fresh(data), max_head, max_headers)


def swapped_case(random: Random) -> Case:
    data = mutated(
        random, any_response(random) if random.random() < 0.5 else random.randbytes(random.randint(0, 99))
    )
    return "read_request", (fresh(data), 999, 999, 99)


def block_case(random: Random) -> Case:
    return "split_lines", (fresh(mutated(random, any_block(random))), random.random() < 0.5)


def pairs_case(random: Random) -> Case:
    return "write_lines", (any_pairs(random),)


CASES: list[Callable[[Random], Case]] = [
    request_case, request_case, request_case, response_case, response_case, swapped_case, block_case, pairs_case,
]  # fmt: skip


def sanitizer() -> Any:
    """Return AddressSanitizer's own functions, or None."""
    process = ctypes.CDLL(None)
    if not hasattr(process, "__asan_poison_memory_region"):
        return None
    for name in ("__asan_poison_memory_region", "__asan_unpoison_memory_region"):
        getattr(process, name).argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return process


@contextlib.contextmanager
def nothing_behind(asan: Any, data: object) -> Iterator[None]:
    """Put the NUL behind some bytes out of bounds."""
    if asan is None or not isinstance(data, bytes) or len(data) < 2:
        yield
        return
    end = id(data) + BEFORE_BYTES + len(data)
    asan.__asan_poison_memory_region(end, 1)
    try:
        yield
    finally:
        asan.__asan_unpoison_memory_region(end, 1)


def fuzz(seed: int, seconds: float) -> str:
    """Compare the twins until the time is up; returns what was done. Raises AssertionError with an input that differs."""
    random, asan = Random(seed), sanitizer()
    taken: collections.Counter[str] = collections.Counter()
    declined: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            name, arguments = random.choice(CASES)(random)
            with nothing_behind(asan, arguments[0]):
                found = getattr(compiled, name)(*arguments)
            expected = getattr(plain, name)(*arguments)
            assert found == expected, f"seed {seed}: {name}{arguments}: compiled {found}, pure {expected}"
            (declined if found is None else taken)[name] += 1
    under = "with" if asan is not None else "without"
    lines = [
        f"seed {seed}: {taken.total() + declined.total()} inputs {under} AddressSanitizer, no difference"
    ]
    lines += [
        f"  {name}: {taken[name]} taken, {declined[name]} declined" for name in sorted(taken | declined)
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the compiled heads with those in Python.")
    parser.add_argument("--seconds", type=float, default=30, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="where to begin (default: %(default)s)")
    arguments = parser.parse_args()
    if compiled is None:
        parser.error("hostler was built without a C compiler: there is nothing to compare")
    print(fuzz(arguments.seed, arguments.seconds))  # noqa: T201 - this is a program


if __name__ == "__main__":
    main()
