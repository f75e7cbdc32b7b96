"""What this Windows can: asked at run time, never derived from a version number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from hostler.server.httpsys.constants import FeatureId
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from hostler.server.httpsys.api import Windows

__all__ = ["Features"]


@frozen
class Features:
    """Which of the newer parts of the HTTP Server API there are (HttpIsFeatureSupported)."""

    delegation: bool
    trailers: bool

    @classmethod
    def of(cls, windows: Windows) -> Features:
        """Ask; only who has begun to use the API gets an answer (`library.begin`)."""
        http = windows.http
        asks = exports(http, "HttpIsFeatureSupported")

        def has(feature: FeatureId) -> bool:
            return asks and bool(http.HttpIsFeatureSupported(feature))

        delegates = exports(http, "HttpDelegateRequestEx") and has(FeatureId.DELEGATE_EX)
        return cls(delegation=delegates, trailers=has(FeatureId.RESPONSE_TRAILERS))
