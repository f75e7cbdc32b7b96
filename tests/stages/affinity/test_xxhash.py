from __future__ import annotations

import pytest

from hostler.stages.affinity.xxhash import xxh64


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "ef46db3751d8e999"),
        (b"a", "d24ec4f1a98c6e5b"),
        (b"abc", "44bc2cf5ad770999"),
        (bytes(range(31)), "c346d2b59b4d8ee1"),
        (bytes(range(32)), "cbf59c5116ff32b4"),
        (b"x" * 33, "b3fa465f554208a6"),
        (b"x" * 36, "9db3828ba5cbfcb5"),
        (b"x" * 40, "926f564e1b3e18d5"),
        (bytes(range(100)), "6ac1e58032166597"),
        (bytes(range(256)) * 3, "8e03c838c596036f"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else "",
)
def test_digests_of_the_reference_implementation(data, digest):
    assert f"{xxh64(data):016x}" == digest
