"""`hostler demo`: a proxy, two destinations and two workers, started together, to look at.

`program` starts and stops them, `apps` is what answers, `visits` sends requests and knows the right answers.
"""

from __future__ import annotations

from hostler.demo.program import run

__all__ = ["run"]
