"""What hostler and asyncio complain of while a test runs: in the log, and on the standard error of processes."""

from __future__ import annotations

import logging
import re


class Complaints(logging.Handler):
    """Keeps errors of hostler's loggers and of asyncio's, and whatever carries a traceback."""

    def __init__(self):
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._texts = []

    def emit(self, record):
        ours = record.name.partition(".")[0] in {"hostler", "asyncio"}
        if record.exc_info or (ours and record.levelno >= logging.ERROR):
            self._texts.append(self.format(record))

    def hear(self, output):
        """Take what a process has written, which is a complaint if a traceback is in it."""
        if "Traceback (most recent call last)" in output:
            self._texts.append(output)

    def take(self):
        """Return what was kept, and keep it no longer."""
        taken, self._texts = self._texts, []
        return taken


complaints = Complaints()
"""All of this process's."""


def judge(texts, marks):
    """Return in words what was not announced by `logs_errors`, and what was and did not come; empty when all is well."""
    patterns = [pattern for mark in marks for pattern in mark.args]
    unexpected = [text for text in texts if not any(re.search(pattern, text) for pattern in patterns)]
    certain = [pattern for mark in marks if not mark.kwargs.get("sometimes") for pattern in mark.args]
    missed = [pattern for pattern in certain if not any(re.search(pattern, text) for text in texts)]
    return "\n".join([*(f"logged: {text}" for text in unexpected), *(f"not logged: {it!r}" for it in missed)])
