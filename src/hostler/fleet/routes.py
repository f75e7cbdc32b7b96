"""A live route: the cluster that it goes to, its equipment, and what stages remember of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from hostler.config.model import MAX_REQUEST_BODY_SIZE
from hostler.fleet.equipment import Equipment

if TYPE_CHECKING:
    from hostler.config.model import Route
    from hostler.fleet.clusters import LiveCluster
    from hostler.pipeline import Next

__all__ = ["LiveRoute"]


@define(eq=False)
class LiveRoute:
    """A route as one configuration has it; after a reload there is another one, with the same state by id."""

    id: str
    config: Route
    cluster: LiveCluster | None = None
    """Where its requests go; None when the configuration has no such cluster."""

    equipment: Equipment = field(factory=Equipment)
    state: dict[str, Any] = field(factory=dict)
    """What stages remember of this route; it survives reloads."""

    way: Next | None = None
    """The stages on the way of its exchanges, folded; None until there was one."""

    max_request_body_size: int | None = field(init=False)
    """Bytes that the bodies of its requests may have; None for any number."""

    @max_request_body_size.default
    def _max_request_body_size(self) -> int | None:
        size = self.config.max_request_body_size
        return MAX_REQUEST_BODY_SIZE if size is None else None if size < 0 else size
