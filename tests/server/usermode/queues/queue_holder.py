"""A process of the directory tests: opens a queue, says what came of it, and holds it until its input ends."""

from __future__ import annotations

import sys

from hostler.errors import QueueError
from hostler.server.base import QueueMode
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.server.usermode.queues.link import KIND


def main(queue, mode, *, member=False):
    try:
        directory = QueueDirectory(queue)
        handle = directory.open(QueueMode(mode))
        if member:
            kept = directory.bind_member(KIND)
            assert kept
        result = "held"
    except QueueError as error:
        handle, result = None, type(error).__name__
    sys.stdout.write(result + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    if handle is not None:
        handle.release()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], member="member" in sys.argv)
