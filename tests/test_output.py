"""What a program writes, to readers that keep up, that do not, and that are gone."""

from __future__ import annotations

import logging
import os
import re
import sys

import pytest

from hostler.output import MAX_WAITING, Output, log_to_stderr, write_error, write_out

LINE = "x" * 1023 + "\n"


@pytest.fixture
def pipe():
    """A pipe: its reading end, and a text stream on the writing end."""
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as far, open(writer, "w") as near:  # noqa: PTH123 - descriptors
        yield far, near


def test_text_arrives_in_order(pipe):
    far, near = pipe
    output = Output(near, print)
    for number in range(100):
        output.write(f"{number}\n")
    assert output.flush()
    assert far.read(1 << 16) == b"".join(b"%d\n" % number for number in range(100))


def test_a_reader_that_does_not_keep_up_holds_nobody_back(pipe):
    far, near = pipe
    reports, received = [], bytearray()
    output = Output(near, reports.append)
    written = 8 * MAX_WAITING // len(LINE)
    for _ in range(written):
        output.write(LINE)
    assert not output.flush(0.01)
    os.set_blocking(far.fileno(), False)
    while not output.flush(0.001):
        received += far.read(1 << 16) or b""
    received += far.read(1 << 20) or b""
    assert set(bytes(received).split(b"\n")) == {LINE.strip().encode(), b""}  # whole lines only
    assert received.count(b"\n") < written // 2
    assert len(reports) == 1
    assert re.fullmatch(
        r"\d+: \d+ pieces of text were dropped, because its reader does not keep up", reports[0]
    )


def test_a_reader_that_is_gone_is_reported_once(pipe):
    far, near = pipe
    far.close()
    reports = []
    output = Output(near, reports.append)
    output.write("one\n")
    assert output.flush()
    output.write("two\n")
    assert output.closed
    assert reports == [f"{near.name} cannot be written to (Broken pipe): text was dropped"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110 - a device
def test_a_full_disk_is_reported_once_and_tried_again():
    reports = []
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        output = Output(full, reports.append)
        for _ in range(3):
            output.write("one\n")
            assert output.flush()
    assert not output.closed
    assert reports == ["/dev/full cannot be written to (No space left on device): text was dropped"]


def test_what_was_closed_before_python_began_is_not_written_to(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    write_out("one\n")
    write_error("two\n", wait=True)


def test_logging_goes_to_stderr(capsys):
    logger = logging.getLogger("hostler")
    level = logger.level
    handler = log_to_stderr(logging.WARNING)
    try:
        logging.getLogger("hostler.queues").warning("careful")
        logging.getLogger("hostler.queues").info("whatever")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert capsys.readouterr().err.endswith("WARNING hostler.queues: careful\n")
