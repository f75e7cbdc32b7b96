"""The concerns of an examination, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from hostler.doctor.certificates import examine_certificates
from hostler.doctor.descriptors import examine_descriptors
from hostler.doctor.document import examine_document
from hostler.doctor.event_loop import examine_event_loop
from hostler.doctor.finding import Finding, Verdict
from hostler.doctor.installation import examine_installation
from hostler.doctor.kernel import examine_httpsys
from hostler.doctor.ports import examine_ports
from hostler.doctor.queues import examine_queues
from hostler.errors import HostlerError
from hostler.explaining import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hostler.doctor.context import Context

__all__ = ["CONCERNS", "Concern", "examine"]


@frozen
class Concern:
    """A part of what is examined."""

    name: str
    examine: Callable[[Context], Iterable[Finding]]

    def findings(self, context: Context) -> Iterator[Finding]:
        """Examine it; what cannot be looked at is a finding too."""
        try:
            yield from self.examine(context)
        except (HostlerError, OSError) as error:
            yield Finding(self.name, Verdict.BROKEN, f"cannot be examined: {explain(error)}")


CONCERNS: Final = (
    Concern("Installation", examine_installation),
    Concern("Event loop", examine_event_loop),
    Concern("Limits", examine_descriptors),
    Concern("Document", examine_document),
    Concern("URL prefixes", examine_ports),
    Concern("Queues", examine_queues),
    Concern("HTTP.sys", examine_httpsys),
    Concern("Certificates", examine_certificates),
)
"""Everything that is examined, in the order of the report."""


def examine(context: Context) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """Examine every concern; yields its name and what was found."""
    for concern in CONCERNS:
        yield concern.name, tuple(concern.findings(context))
