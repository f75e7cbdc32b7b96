"""The rules over a whole configuration, whether it was written in JSON or in Python: one concern a file.

`check` reports every problem at once, each with the path that a YARP document has for it. What the model can say and
the program does not do yet is refused, never passed over in silence, by `refuse_later`.
"""

from hostler.config.checks.configuration import check

__all__ = ["check"]
