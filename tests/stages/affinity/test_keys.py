"""The keys that seal, and the file that they come from."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest

from hostler.stages.affinity.keys import FixedKeys, KeyFile, made_keys, read_keys
from hostler.testing import FakeClock

ONE, TWO = bytes(32), bytes(range(32))
NONCE = bytes(12)

on_posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX'")


def text(*keys):
    return b"".join(base64.b64encode(key) + b"\n" for key in keys)


@pytest.fixture
def write(tmp_path):
    """Write a file of keys; returns its path."""
    path = tmp_path / "sealing.keys"

    def write(content, mode=0o600):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    return write


def sealed_by(keys):
    """Return what each key in force makes of the same text."""
    return [key.encrypt(NONCE, b"text", b"") for key in keys.current()]


def test_a_file_of_keys(write):
    content = b"# made on Monday\n" + text(TWO) + b"\n  " + text(ONE).replace(b"\n", b" \r\n") + b"#"
    assert read_keys(write(content)) == (TWO, ONE)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it has 0 keys, 1 to 8 are expected; write one key a line, as `openssl rand -base64 32` makes it"),
        (b"# none\n", "it has 0 keys"),
        (text(*[ONE] * 9), "it has 9 keys, 1 to 8 are expected"),
        (text(ONE, b"short"), "line 2 has 5 bytes, 32 are expected"),
        (b"hello, world\n", "line 1 is not base64"),
        (text(ONE)[:-2], "line 1 is not base64"),
        (text(ONE) + b"#" * (1 << 16), "it has 1 keys"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_keys(write, content, why):
    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        read_keys(write(content))


@on_posix
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440])
def test_the_owner_and_a_group_may_read_it(write, mode):
    assert read_keys(write(text(ONE), mode)) == (ONE,)


@on_posix
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o660, 0o601])
def test_others_may_not(write, mode):
    with pytest.raises(ValueError, match=f"others may read or change it .mode {mode:03o}.; chmod it to 600"):
        read_keys(write(text(ONE), mode))


@pytest.mark.parametrize("keys", [[], [ONE] * 9, [b"short"]])
def test_fixed_keys_are_one_to_eight_of_32_bytes(keys):
    with pytest.raises(ValueError, match=r"give 1 to 8|has 5 bytes"):
        FixedKeys(keys)


def test_a_key_that_was_made_stays_the_same():
    assert sealed_by(made_keys()) == sealed_by(made_keys())
    assert sealed_by(made_keys()) != sealed_by(FixedKeys([ONE]))


def test_a_file_is_followed(write, caplog):
    caplog.set_level("INFO")
    clock = FakeClock()
    keys = KeyFile(write(text(ONE)), clock=clock)
    write(text(TWO, ONE))
    assert sealed_by(keys) == sealed_by(FixedKeys([ONE]))  # not looked at so soon
    clock.advance(5)
    assert sealed_by(keys) == sealed_by(FixedKeys([TWO, ONE]))
    clock.advance(5)
    assert sealed_by(keys) == sealed_by(FixedKeys([TWO, ONE]))
    (message,) = caplog.messages
    assert message.endswith("sealing.keys: sealing keys were read again: 2")


@pytest.mark.parametrize("broken", [None, b"", b"nonsense"])
def test_a_file_that_breaks_leaves_the_keys_in_force_and_says_so_once(write, caplog, broken):
    clock = FakeClock()
    path = write(text(ONE))
    keys = KeyFile(path, clock=clock)
    if broken is None:
        Path(path).unlink()
    else:
        write(broken)
    for _ in range(3):
        clock.advance(5)
        assert sealed_by(keys) == sealed_by(FixedKeys([ONE]))
    (message,) = caplog.messages
    assert message.endswith("; the sealing keys of before stay in force until it is corrected")
    write(text(TWO))
    clock.advance(5)
    assert sealed_by(keys) == sealed_by(FixedKeys([TWO]))


@on_posix
def test_a_mode_that_is_corrected_is_noticed(write, caplog):
    clock = FakeClock()
    keys = KeyFile(write(text(ONE)), clock=clock)
    path = Path(write(text(TWO), 0o644))
    clock.advance(5)
    assert sealed_by(keys) == sealed_by(FixedKeys([ONE]))
    assert "others may read or change it" in caplog.text
    path.chmod(0o600)
    clock.advance(5)
    assert sealed_by(keys) == sealed_by(FixedKeys([TWO]))
