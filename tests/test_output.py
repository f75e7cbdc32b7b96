"""What a program writes."""

from __future__ import annotations

import logging

from hostler.output import log_to_stderr


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
